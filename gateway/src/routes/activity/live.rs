//! `/activity/live`: what happens, as it happens; and the ticket for it.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use proto::{errors, feed as rpc};
use runtime::server::Endless;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    call::{Call, OpenCall},
    error::Problem,
    extract::{Query, parsed},
    live::{Place, Reader, TICKET_TTL},
    routes::{
        State,
        profile::{NEVER_CACHED, NeverCached},
    },
};

/// What an `EventSource` sends when it comes back by itself.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What stands for a token in a URL.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::routes) struct Ticket {
    #[schema(example = "7f0c6a2e-94b1-4f0e-8f6b-2f8d1d3f5a10")]
    ticket: Uuid,
    /// Seconds.
    #[schema(example = 60)]
    expires_in: u64,
}

/// Get a ticket for `/activity/live`
///
/// For an `EventSource`, which cannot send a token. It is good for 60 seconds, and once: who loses the connection gets another
/// one, and passes on `lastEventId`.
#[utoipa::path(
    post, path = "/activity/ticket", tag = "activity", security(("bearer" = [])),
    responses((status = OK, description = "The ticket", body = Ticket))
)]
pub(in crate::routes) async fn create_activity_ticket(app: State, call: Call) -> (NeverCached, Json<Ticket>) {
    let ticket = app.live.tickets.issue(&call.claims).await;
    (NEVER_CACHED, Json(Ticket { ticket, expires_in: TICKET_TTL.as_secs() }))
}

/// What is wanted live.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(in crate::routes) struct WatchActivity {
    /// Only events of this type.
    #[serde(rename = "type")]
    #[param(example = "post.created")]
    kind: Option<String>,
    /// Of `POST /activity/ticket`, instead of a token.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<Uuid>, format = Uuid)]
    ticket: Option<Uuid>,
    /// What the client has: `lastEventId` of a list's `view`, or of the last event that it was told. The header
    /// `Last-Event-ID` comes before it. Without either the stream begins with what comes.
    last_event_id: Option<String>,
}

/// Watch what happens
///
/// `text/event-stream`, with a token or a ticket. `event` is the type, `data` an activity as in the lists, `id` where to go on
/// from: each event comes once, and none is left out. Where that cannot be, because the client has too little (1000 events) or
/// the numbers are others, comes the event `reset`: read the list anew, and go on. Each 15 seconds without an event comes a
/// comment. The stream ends with the token, at the latest after an hour, where the client reads too slowly, and while the feed
/// cannot be reached.
#[utoipa::path(
    get, path = "/activity/live", tag = "activity", security(("bearer" = []), ()),
    params(WatchActivity, ("Last-Event-ID" = Option<String>, Header, description = "Like `lastEventId`; what an `EventSource` sends when it comes back by itself")),
    responses(
        (status = OK, description = "Events, until one of both ends it", body = String, content_type = "text/event-stream",
         example = "id: 0199a7c4-8f21-7b3e-9d05-0000000000ee:17\nevent: user.created\ndata: {\"id\":\"0199a7c4-8f21-7b3e-9d05-00000000e7e4\",\"number\":17,\"type\":\"user.created\"}\n\n")
    ),
    extensions(("x-refusals" = json!([errors::INVALID_TICKET, errors::TOO_MANY_LIVE])))
)]
pub(in crate::routes) async fn watch_activity(
    app: State,
    open: OpenCall,
    caller: Result<Call, Problem>,
    headers: HeaderMap,
    Query(query): Query<WatchActivity>,
) -> Result<Response, Problem> {
    let WatchActivity { kind, ticket, last_event_id } = query;
    let claims = match ticket {
        Some(ticket) => app.live.tickets.redeem(ticket).await.ok_or(errors::INVALID_TICKET)?,
        None => caller?.claims,
    };
    if !app.auth.verifier().is_good(&claims) {
        return Err(errors::TOKEN_EXPIRED.into());
    }
    if kind.is_some() {
        // The feed knows which types there are.
        let request = rpc::ListActivityRequest { r#type: kind.clone(), page: None, limit: Some(1) };
        app.feed().list_activity(open.repeatable(request)).await?;
    }
    let place = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()).or(last_event_id.as_deref());
    let reader = Reader::open(&app.live, claims, place.map(Place::parse), kind).await?;
    let mut response = Response::new(Body::from_stream(reader.into_stream()));
    response.extensions_mut().insert(Endless);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would collect events until it has many.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

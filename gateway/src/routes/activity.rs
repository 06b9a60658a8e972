//! `/activity`: what happened, of all and of one, and how much.

pub(super) mod live;

use std::collections::BTreeMap;

use axum::{Json, response::Response};
use chrono::{DateTime, Utc};
use proto::{feed as rpc, time::from_proto};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::profile::{NEVER_CACHED, NeverCached};
use crate::{
    activity::Activity,
    cache::{Key, Viewer},
    call::{Call, OpenCall},
    error::Problem,
    extract::{Id, Query, whole_number},
    live::ACTIVITY,
    routes::{State, page::Pagination},
};

/// How far the feed had come with what it shows: it follows what services tell, and is behind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    /// Of the newest activity for all: `/activity/live` goes on from here.
    #[schema(example = "0199a7c4-8f21-7b3e-9d05-0000000000ee:17")]
    last_event_id: String,
    /// Events that were applied, whomever they are for.
    #[schema(example = 17)]
    position: u64,
    /// By source, the number of the last of its events that was applied.
    #[schema(example = json!({"/accounts": 2, "/discourse": 12}))]
    sequences: BTreeMap<String, u64>,
    /// All that the log had then is in it; null where nothing was ever applied.
    as_of: Option<DateTime<Utc>>,
}

impl From<Option<rpc::View>> for View {
    fn from(view: Option<rpc::View>) -> Self {
        let rpc::View { epoch, number, position, sequences, as_of } = view.unwrap_or_default();
        Self {
            last_event_id: format!("{epoch}:{number}"),
            position,
            sequences: sequences.into_iter().collect(),
            as_of: as_of.as_ref().and_then(from_proto),
        }
    }
}

/// A page of what happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActivityList {
    activities: Vec<Activity>,
    pagination: Pagination,
    view: View,
}

impl ActivityList {
    fn of(
        activities: Vec<rpc::Activity>,
        pagination: Option<rpc::Pagination>,
        view: Option<rpc::View>,
    ) -> Result<Self, Problem> {
        let activities = activities.into_iter().map(Activity::try_from).collect::<Result<_, _>>()?;
        Ok(Self { activities, pagination: pagination.unwrap_or_default().into(), view: view.into() })
    }
}

/// What happened.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[into_params(parameter_in = Query)]
pub(super) struct ListActivity {
    /// Only events of this type.
    #[serde(rename = "type")]
    #[param(example = "post.created")]
    kind: Option<String>,
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// List what happened
///
/// The newest 1000 events for all, or the newest 1000 of one type, newest first. What services do is here a moment later;
/// `view` says how far it is.
#[utoipa::path(
    get, path = "/activity", tag = "activity", params(ListActivity),
    responses(
        (status = OK, description = "A page of what happened, newest first", body = ActivityList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    )
)]
pub(super) async fn list_activity(
    app: State,
    mut call: OpenCall,
    Query(query): Query<ListActivity>,
) -> Result<Response, Problem> {
    const ROUTE: &str = "/activity";
    call.bypass_cache |= !app.live.is_current();
    let key = Key::get(ROUTE, ROUTE, &query, Viewer::Anyone, vec![ACTIVITY]);
    let load = || {
        let ListActivity { kind, page, limit } = query;
        let request = call.repeatable(rpc::ListActivityRequest { r#type: kind, page, limit });
        let mut client = app.feed();
        async move {
            let rpc::ListActivityResponse { activities, pagination, view } =
                client.list_activity(request).await?.into_inner();
            ActivityList::of(activities, pagination, view)
        }
    };
    app.cache.read(&call, key, load).await
}

/// Which page of it.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[into_params(parameter_in = Query)]
pub(super) struct ListUserActivity {
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// List what a user did
///
/// And what was done with theirs: the newest 100 events of that which the caller may see, newest first. Of somebody who has
/// done nothing, or is unknown, there are none.
#[utoipa::path(
    get, path = "/activity/user/{id}", tag = "activity",
    params(("id" = Uuid, Path, description = "UUID of the user"), ListUserActivity),
    responses(
        (status = OK, description = "A page of what the user did, newest first", body = ActivityList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    )
)]
pub(super) async fn list_user_activity(
    app: State,
    mut call: OpenCall,
    caller: Result<Call, Problem>,
    Id(user): Id<Uuid>,
    Query(query): Query<ListUserActivity>,
) -> Result<Response, Problem> {
    call.bypass_cache |= !app.live.is_current();
    // What is not for all is shown to some.
    let viewer = caller.map_or(Viewer::Anyone, |call| Viewer::Only(call.claims.sub));
    let path = format!("/activity/user/{user}");
    let key = Key::get("/activity/user/{id}", &path, &query, viewer, vec![ACTIVITY]);
    let load = || {
        let ListUserActivity { page, limit } = query;
        let request = call.repeatable(rpc::ListUserActivityRequest { user_id: user.to_string(), page, limit });
        let mut client = app.feed();
        async move {
            let rpc::ListUserActivityResponse { activities, pagination, view } =
                client.list_user_activity(request).await?.into_inner();
            ActivityList::of(activities, pagination, view)
        }
    };
    app.cache.read(&call, key, load).await
}

/// How much happens.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActivityStats {
    /// By type: the events for all that there ever were.
    #[schema(example = json!({"post.created": 12, "user.created": 2}))]
    totals: BTreeMap<String, u64>,
    /// Events for all in the last minute, to the second.
    #[schema(example = 3)]
    last_minute: u64,
    /// In the last hour, to the minute.
    #[schema(example = 14)]
    last_hour: u64,
    /// In the last 24 hours, to ten minutes.
    #[schema(example = 14)]
    last_day: u64,
    /// Users who did something, or whose things were bought, in the last 24 hours.
    #[schema(example = 2)]
    active_users: u64,
    /// How far the feed is behind the log at most; up to 1 where nothing is wrong.
    #[schema(example = 0.4)]
    lag_seconds: f64,
    /// The feed makes its views anew.
    #[schema(example = false)]
    is_rebuilding: bool,
    view: View,
}

/// How much happens
///
/// Never cached, since it changes with time.
#[utoipa::path(
    get, path = "/activity/stats", tag = "activity",
    responses((status = OK, description = "Totals and rates", body = ActivityStats)),
    extensions(("x-refusals" = json!([proto::errors::UNAVAILABLE, proto::errors::DEADLINE_EXCEEDED])))
)]
pub(super) async fn get_activity_stats(
    app: State,
    call: OpenCall,
) -> Result<(NeverCached, Json<ActivityStats>), Problem> {
    let stats = app.feed().get_stats(call.repeatable(rpc::GetStatsRequest {})).await?.into_inner();
    let stats = ActivityStats {
        totals: stats.totals.into_iter().collect(),
        last_minute: stats.last_minute,
        last_hour: stats.last_hour,
        last_day: stats.last_day,
        active_users: stats.active_users,
        lag_seconds: stats.lag_seconds,
        is_rebuilding: stats.is_rebuilding,
        view: stats.view.into(),
    };
    Ok((NEVER_CACHED, Json(stats)))
}

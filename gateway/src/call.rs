//! One authenticated call: who calls, and what goes along to the services.
//!
//! A handler that needs a user takes a [`Call`], and cannot forget the check.

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use kernel::Caller;
use runtime::{
    access::Notes,
    identity::{USER_ID, USER_NAME},
    observe::{REQUEST_ID, RequestId},
    trace::TRACEPARENT,
};
use tokio::time::Instant;
use tonic::{
    Request,
    metadata::{AsciiMetadataValue, MetadataMap},
};
use upstream::Policy;

use crate::{auth::token::Unauthorized, error::Problem};

/// How long a service may take for a call, retries included.
const UPSTREAM_DEADLINE: Duration = Duration::from_secs(5);

/// W3C Trace Context, passed on as it came; where traces are sent the balancer puts its own in its place.
const TRACE_CONTEXT: [&str; 2] = [TRACEPARENT, "tracestate"];

/// Who the token says is calling, in the request's extensions; put there by [`crate::middleware::identify`].
#[derive(Clone, Debug)]
pub(crate) struct Identity(pub Result<Caller, Unauthorized>);

/// An authenticated call.
#[derive(Clone, Debug)]
pub struct Call {
    pub caller: Caller,
    /// The client asks for a fresh answer: `Cache-Control: no-cache` or `no-store`.
    pub bypass_cache: bool,
    pub if_none_match: Option<HeaderValue>,
    deadline: Instant,
    metadata: MetadataMap,
    notes: Option<Notes>,
}

impl Call {
    /// The request to a service: the message, the caller, the deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        self.with_policy(message, false)
    }

    /// Likewise for a call that may be sent twice: a read, or a write with an idempotency key.
    pub fn repeatable<T>(&self, message: T) -> Request<T> {
        self.with_policy(message, true)
    }

    fn with_policy<T>(&self, message: T, repeatable: bool) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request.extensions_mut().insert(Policy { deadline: self.deadline, repeatable });
        if let Some(notes) = &self.notes {
            request.extensions_mut().insert(notes.clone());
        }
        request
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = match parts.extensions.get::<Identity>() {
            Some(Identity(caller)) => caller.clone()?,
            None => return Err(Unauthorized::MissingToken.into()),
        };
        let mut metadata = MetadataMap::with_capacity(5);
        let mut insert = |name: &'static str, value: &[u8]| {
            // What is no ASCII cannot be metadata; ids and usernames are.
            if let Ok(mut value) = AsciiMetadataValue::try_from(value) {
                // No two requests have the same: it would only push what repeats out of HTTP/2's header table.
                value.set_sensitive(name == REQUEST_ID);
                metadata.insert(name, value);
            }
        };
        insert(USER_ID, caller.id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes());
        insert(USER_NAME, caller.name.as_bytes());
        if let Some(id) = parts.extensions.get::<RequestId>() {
            insert(REQUEST_ID, id.0.as_bytes());
        }
        for name in TRACE_CONTEXT {
            if let Some(value) = parts.headers.get(name) {
                insert(name, value.as_bytes());
            }
        }
        let cache_control = parts.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Ok(Self {
            caller,
            bypass_cache: cache_control.is_some_and(|value| {
                value.split(',').any(|directive| matches!(directive.trim(), "no-cache" | "no-store"))
            }),
            if_none_match: parts.headers.get(header::IF_NONE_MATCH).cloned(),
            deadline: Instant::now() + UPSTREAM_DEADLINE,
            metadata,
            notes: parts.extensions.get().cloned(),
        })
    }
}

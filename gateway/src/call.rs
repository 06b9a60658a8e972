//! One call: who calls, and what goes along to the services.
//!
//! A handler that needs a user takes a [`Call`], and cannot forget the check; one that is open to all a [`Context`].

use std::{convert::Infallible, ops::Deref, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
};
use kernel::Caller;
use runtime::{
    access::Notes,
    identity::{Claims, Identity, Unauthorized, bearer},
    observe::{REQUEST_ID, RequestId},
    trace::TRACEPARENT,
};
use tokio::time::Instant;
use tonic::{Request, metadata::MetadataMap};
use upstream::Policy;

use crate::error::Problem;

/// How long a service may take for a call, retries included.
const UPSTREAM_DEADLINE: Duration = Duration::from_secs(5);

/// W3C Trace Context, passed on as it came; where traces are sent the balancer puts its own in its place.
const TRACE_CONTEXT: [&str; 2] = [TRACEPARENT, "tracestate"];

/// What goes along with a call, whoever calls.
#[derive(Clone, Debug)]
pub struct Context {
    /// The client asks for a fresh answer: `Cache-Control: no-cache` or `no-store`.
    pub bypass_cache: bool,
    pub if_none_match: Option<HeaderValue>,
    deadline: Instant,
    metadata: MetadataMap,
    notes: Option<Notes>,
}

impl Context {
    /// The request to a service: the message, the caller's token, the deadline.
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

    fn of(parts: &Parts) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        // No two calls of a replica's connection have the same for long: it would only push what repeats out of HTTP/2's
        // header table. (RFC 7541, section 7.1.3, asks so for tokens anyway.)
        let mut insert_sensitive = |name: HeaderName, mut value: HeaderValue| {
            value.set_sensitive(true);
            headers.insert(name, value);
        };
        // A token that is not good proves nothing to a replica either.
        if let Some(Identity(Ok(_))) = parts.extensions.get()
            && let Some(value) = bearer(&parts.headers)
        {
            insert_sensitive(header::AUTHORIZATION, value);
        }
        if let Some(RequestId(id)) = parts.extensions.get() {
            insert_sensitive(HeaderName::from_static(REQUEST_ID), id.clone());
        }
        for name in TRACE_CONTEXT {
            if let Some(value) = parts.headers.get(name) {
                headers.insert(name, value.clone());
            }
        }
        let cache_control = parts.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Self {
            bypass_cache: cache_control.is_some_and(|value| {
                value.split(',').any(|directive| matches!(directive.trim(), "no-cache" | "no-store"))
            }),
            if_none_match: parts.headers.get(header::IF_NONE_MATCH).cloned(),
            deadline: Instant::now() + UPSTREAM_DEADLINE,
            metadata: MetadataMap::from_headers(headers),
            notes: parts.extensions.get().cloned(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// An authenticated call: a [`Context`] whose caller is known.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub caller: Caller,
    /// What the token says.
    pub claims: Arc<Claims>,
    context: Context,
}

impl Deref for Call {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = match parts.extensions.get() {
            Some(Identity(identity)) => identity.clone()?,
            None => return Err(Unauthorized::MissingToken.into()),
        };
        Ok(Self { caller: claims.caller(), claims, context: Context::of(parts) })
    }
}

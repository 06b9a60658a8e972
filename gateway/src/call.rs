//! One call: who calls, what the client wants of a cached answer, and what goes along to the services.
//!
//! A handler that needs a user takes a [`Call`], and cannot forget the check; one that is open to all an [`OpenCall`].

use std::{convert::Infallible, ops::Deref, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use runtime::{context::Context, identity::Claims};
use tonic::Request;

use crate::error::Problem;

/// A call by anybody.
#[derive(Clone, Debug)]
pub struct OpenCall {
    /// The client asks for a fresh answer: `Cache-Control: no-cache` or `no-store`.
    pub bypass_cache: bool,
    pub if_none_match: Option<HeaderValue>,
    context: Context,
}

impl OpenCall {
    /// The request to a service: the message, the caller's token, the deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        upstream::request(&self.context, message, false)
    }

    /// Likewise for a call that may be sent twice: a read, or a write with an idempotency key.
    pub fn repeatable<T>(&self, message: T) -> Request<T> {
        upstream::request(&self.context, message, true)
    }

    fn of(parts: &Parts) -> Self {
        let cache_control = parts.headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
        Self {
            bypass_cache: cache_control.is_some_and(|value| {
                value.split(',').any(|directive| matches!(directive.trim(), "no-cache" | "no-store"))
            }),
            if_none_match: parts.headers.get(header::IF_NONE_MATCH).cloned(),
            context: Context::new(&parts.headers, &parts.extensions),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OpenCall {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// An authenticated call: an [`OpenCall`] whose caller is known.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What the token says, and so who calls.
    pub claims: Arc<Claims>,
    call: OpenCall,
}

impl Deref for Call {
    type Target = OpenCall;

    fn deref(&self) -> &OpenCall {
        &self.call
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let call = OpenCall::of(parts);
        let claims = Arc::clone(call.context.claims()?);
        Ok(Self { claims, call })
    }
}

//! What a request brings along, from the door to the last call and the store: who calls, until when an answer is of use,
//! and which request and trace it belongs to. It is a parameter, never found somewhere.

use std::{sync::Arc, time::Duration};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use kernel::{Caller, Error};
use tokio::time::Instant;
use tonic::{Request, metadata::MetadataMap};

use crate::{
    access::Notes,
    deadline::Deadline,
    identity::{Claims, Identity, Unauthorized, bearer},
    observe::{REQUEST_ID, RequestId},
    trace::TRACEPARENT,
};

/// W3C Trace Context, passed on as it came; where traces are sent each call puts its own span in its place.
const TRACE_CONTEXT: [&str; 2] = [TRACEPARENT, "tracestate"];

/// How long a call takes at most whose caller does not say.
const PATIENCE: Duration = Duration::from_secs(5);

/// What goes along with a request. `C` is what is known of who calls: nothing, a [`Caller`], or one perhaps.
#[derive(Clone, Debug)]
pub struct Context<C = ()> {
    pub caller: C,
    /// When its caller has given up.
    pub deadline: Instant,
    identity: Result<Arc<Claims>, Unauthorized>,
    token: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    trace: [Option<HeaderValue>; 2],
    notes: Option<Notes>,
}

impl Context {
    /// Of a request as it came, after the middlewares of [`crate::identity`], [`crate::observe`] and [`crate::deadline`].
    pub fn new(headers: &HeaderMap, extensions: &Extensions) -> Self {
        let identity = match extensions.get() {
            Some(Identity(identity)) => identity.clone(),
            None => Err(Unauthorized::MissingToken),
        };
        // A token that is not good proves nothing to the next one either.
        let token = identity.is_ok().then(|| bearer(headers)).flatten();
        Self {
            caller: (),
            deadline: extensions.get().map_or_else(|| Instant::now() + PATIENCE, |Deadline(at)| *at),
            identity,
            token,
            request_id: extensions.get().map(|RequestId(id)| id.clone()),
            trace: TRACE_CONTEXT.map(|name| headers.get(name).cloned()),
            notes: extensions.get().cloned(),
        }
    }

    /// Of an RPC as it came.
    pub fn of<T>(request: &Request<T>) -> Self {
        Self::new(request.metadata().as_ref(), request.extensions())
    }

    fn with<C>(self, caller: C) -> Context<C> {
        let Self { caller: (), deadline, identity, token, request_id, trace, notes } = self;
        Context { caller, deadline, identity, token, request_id, trace, notes }
    }
}

impl Context<Caller> {
    /// Of what no request asks for: a worker's act in somebody's name.
    pub fn unasked(caller: Caller) -> Self {
        Context::new(&HeaderMap::new(), &Extensions::new()).with(caller)
    }

    /// Of an RPC that acts for somebody; UNAUTHENTICATED where there is no token, or none that is good.
    pub fn required<T>(request: &Request<T>) -> Result<Self, Error> {
        let context = Context::of(request);
        let caller = context.claims()?.caller();
        Ok(context.with(caller))
    }
}

impl Context<Option<Caller>> {
    /// Of an RPC that anybody may call; UNAUTHENTICATED where there is a token that is not good.
    pub fn optional<T>(request: &Request<T>) -> Result<Self, Error> {
        let context = Context::of(request);
        let caller = match context.claims() {
            Ok(claims) => Some(claims.caller()),
            Err(Unauthorized::MissingToken) => None,
            Err(why) => return Err(why.into()),
        };
        Ok(context.with(caller))
    }
}

impl<C> Context<C> {
    /// What the caller's token says; UNAUTHENTICATED where there is none, or none that is good.
    pub fn claims(&self) -> Result<&Arc<Claims>, Unauthorized> {
        self.identity.as_ref().map_err(|why| *why)
    }

    /// The trace that the request belongs to, as W3C Trace Context writes it.
    pub fn traceparent(&self) -> Option<&str> {
        self.trace[0].as_ref()?.to_str().ok()
    }

    /// What is noted for the access log.
    pub fn notes(&self) -> Option<&Notes> {
        self.notes.as_ref()
    }

    /// What a call that goes on from here says of itself, beside what is left of its deadline.
    pub fn metadata(&self) -> MetadataMap {
        let mut headers = HeaderMap::with_capacity(4);
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        // No two requests have the same: it would only push what repeats out of that table.
        if let Some(mut id) = self.request_id.clone() {
            id.set_sensitive(true);
            headers.insert(HeaderName::from_static(REQUEST_ID), id);
        }
        for (name, value) in TRACE_CONTEXT.into_iter().zip(&self.trace) {
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
        MetadataMap::from_headers(headers)
    }
}

//! Rate limits: so many calls a second for each user, or for each address where there is no user. An answer that is large
//! counts as several calls.
//!
//! Gateways on one Redis share them; without one, or while it is down, each gateway counts for itself ([`bucket`]).

mod address;
pub(crate) mod bucket;
mod lease;

use std::{convert::Infallible, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    body::HttpBody,
    extract::Request,
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use ipnet::IpNet;
use runtime::identity::Identity;

pub(crate) use self::address::ClientAddress;
use self::{
    bucket::{Buckets, Key, Level, Quota, Step},
    lease::Leases,
};
use crate::{error::Problem, redis::Redis};
use proto::errors;

/// How often buckets that are full again are forgotten.
pub(crate) const SWEEP: Duration = Duration::from_secs(60);

/// An answer's bytes that are one call's worth: a page of twenty listings or posts has less, and costs one call.
const BYTES_A_CALL: u64 = 16 * 1024;

/// The bytes that an answer took to make, in its extensions where it does not have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight(pub(crate) u64);

/// The limit of calls: a burst of twice what a second gives.
pub(crate) struct Limit {
    /// `None` is no limit.
    calls: Option<Calls>,
    trusted_proxies: Arc<[IpNet]>,
}

struct Calls {
    buckets: Buckets,
    leases: Leases,
    /// Value of `RateLimit-Policy`.
    policy: HeaderValue,
}

impl Limit {
    /// `per_second` 0 is no limit.
    pub(crate) fn new(per_second: u32, trusted_proxies: Arc<[IpNet]>, redis: Option<&Redis>) -> Self {
        let calls = NonZeroU32::new(per_second).map(|limit| {
            let burst = limit.saturating_mul(NonZeroU32::MIN.saturating_add(1));
            let quota = Quota::new(Duration::from_secs(1) / limit.get(), burst);
            let (burst, window) = (quota.burst(), quota.window().as_secs_f64().round());
            Calls {
                buckets: Buckets::new("calls", quota, redis),
                leases: Leases::new(quota),
                policy: format!("\"calls\";q={burst};w={window}").parse().unwrap_or(HeaderValue::from_static("")),
            }
        });
        Self { calls, trusted_proxies }
    }

    /// Forgets callers that have not called for a while; so memory stays bounded.
    pub(crate) fn sweep(&self) -> Result<&'static str, Infallible> {
        if let Some(calls) = &self.calls {
            calls.buckets.sweep();
            calls.leases.sweep();
        }
        Ok("looked")
    }

    /// Takes one call of `caller`'s; 429 with `Retry-After` beyond the limit.
    pub(crate) async fn take(&self, caller: Key) -> Result<Taken<'_>, Response> {
        let Some(calls) = &self.calls else { return Ok(Taken(None)) };
        let level = calls.take(caller).await;
        if level.taken > 0 {
            return Ok(Taken(Some((calls, caller, level))));
        }
        let seconds = retry_after(level.wait.unwrap_or_default());
        let mut refusal = Problem::from(errors::RATE_LIMITED).with_retry_after(seconds).into_response();
        calls.tell(&mut refusal, format!("\"calls\";r=0;t={seconds}"));
        Err(refusal)
    }

    /// Whose call it is.
    pub(crate) fn caller(&self, request: &Request) -> Key {
        match request.extensions().get::<Identity>() {
            Some(Identity(Ok(claims))) => Key::User(claims.sub),
            _ => Key::Address(ClientAddress::of(request.headers(), request.extensions(), &self.trusted_proxies).0),
        }
    }
}

/// A call that was taken, where there is a limit.
pub(crate) struct Taken<'a>(Option<(&'a Calls, Key, Level)>);

impl Taken<'_> {
    /// Charges what the answer weighs, which slows its caller's next calls.
    pub(crate) fn charge(self, mut response: Response) -> Response {
        if let Self(Some((calls, caller, level))) = self {
            let more = calls.charge(caller, &response);
            calls.tell(&mut response, format!("\"calls\";r={}", level.left.saturating_sub(more)));
        }
        response
    }
}

impl Calls {
    /// `RateLimit` headers, which are on every answer (draft-ietf-httpapi-ratelimit-headers-10).
    fn tell(&self, response: &mut Response, state: String) {
        let headers = response.headers_mut();
        headers.insert("ratelimit-policy", self.policy.clone());
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert("ratelimit", state);
        }
    }

    async fn take(&self, key: Key) -> Level {
        if !self.buckets.are_shared() {
            return self.buckets.step_own(key, Step::TAKE);
        }
        let step = match self.leases.spend(key) {
            Ok(level) => return level,
            Err(step) => step,
        };
        match self.buckets.step_shared(key, step).await {
            Some(Ok(level)) => self.leases.begin(key, level),
            None | Some(Err(_)) => self.buckets.step_own(key, Step { wanted: 1, ..step }),
        }
    }

    /// Charges what an answer weighs beyond a call; how many calls that is. Nobody waits for it, so that nobody gets out of
    /// it by going away.
    fn charge(&self, key: Key, response: &Response) -> u32 {
        let bytes = match response.extensions().get::<Weight>() {
            Some(Weight(bytes)) => *bytes,
            None => response.body().size_hint().lower(),
        };
        let calls = u32::try_from(bytes / BYTES_A_CALL).unwrap_or(u32::MAX);
        match calls {
            0 => {}
            _ if self.buckets.are_shared() => self.leases.charge(key, calls),
            _ => drop(self.buckets.step_own(key, Step { wanted: 0, charged: calls.into() })),
        }
        calls
    }
}

/// Whole seconds, rounded up: too early would only be refused again.
pub(crate) fn retry_after(wait: Duration) -> u64 {
    wait.as_secs() + 1
}

#[cfg(test)]
mod tests;

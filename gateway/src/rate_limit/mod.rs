//! Rate limits: so many calls a second for each user, or for each address where there is no user.
//!
//! Gateways on one Redis share them (`shared`); without one, or while it is down, each gateway counts for itself.

mod shared;

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use ipnet::IpNet;
use runtime::identity::Identity;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::shared::SharedLimit;
use crate::{config::Options, error::Problem, redis::Redis};

/// How often callers that have their full burst again are forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    User(Uuid),
    Address(IpAddr),
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Address(address) => write!(f, "address:{address}"),
        }
    }
}

/// Whether a call may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// So many more may follow at once.
    Allowed { remaining: u32 },
    /// Not before this has passed.
    Refused { wait: Duration },
}

type Governor = RateLimiter<Caller, DefaultKeyedStateStore<Caller>, DefaultClock, StateInformationMiddleware>;

/// One limit: GCRA (a leaky bucket) with a burst.
pub(crate) struct Limit {
    /// `None` is no limit.
    own: Option<Governor>,
    shared: Option<SharedLimit>,
    /// Value of `RateLimit-Policy`.
    policy: HeaderValue,
    name: &'static str,
    /// Addresses alone count, whoever is logged in.
    by_address: bool,
    trusted_proxies: Arc<[IpNet]>,
}

impl Limit {
    /// The limit of business calls: a burst of twice what a second gives.
    pub(crate) fn of_calls(options: &Options, redis: Option<&Redis>) -> Self {
        let quota = NonZeroU32::new(options.rate_limit)
            .map(|limit| Quota::per_second(limit).allow_burst(limit.saturating_mul(NonZeroU32::MIN.saturating_add(1))));
        Self::new("calls", quota, false, options, redis)
    }

    /// The limit of `/auth`, against guessing: by address, a minute's worth at once.
    pub(crate) fn of_auth(options: &Options, redis: Option<&Redis>) -> Self {
        Self::new("auth", NonZeroU32::new(options.auth_rate_limit).map(Quota::per_minute), true, options, redis)
    }

    fn new(
        name: &'static str,
        quota: Option<Quota>,
        by_address: bool,
        options: &Options,
        redis: Option<&Redis>,
    ) -> Self {
        let policy = quota.map(|quota| {
            let (burst, window) = (quota.burst_size(), quota.burst_size_replenished_in().as_secs());
            format!("\"{name}\";q={burst};w={window}")
        });
        Self {
            own: quota.map(|quota| RateLimiter::dashmap(quota).with_middleware()),
            shared: quota.zip(redis).map(|(quota, redis)| SharedLimit::new(name, quota, redis.clone())),
            policy: policy.and_then(|text| text.parse().ok()).unwrap_or(HeaderValue::from_static("")),
            name,
            by_address,
            trusted_proxies: options.trusted_proxies.clone().into(),
        }
    }

    /// Forgets callers that have not called for a while, until `shutdown`; so memory stays bounded.
    pub(crate) async fn sweep(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(own) = &self.own else { return };
        while tokio::time::timeout(SWEEP, shutdown.cancelled()).await.is_err() {
            own.retain_recent();
            self.shared.iter().for_each(SharedLimit::retain_recent);
        }
    }

    /// 429 with `Retry-After` beyond the limit; `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers-10) on every
    /// answer.
    pub(crate) async fn admit(&self, request: Request, next: Next) -> Response {
        let Some(decision) = self.check(self.caller(&request)).await else { return next.run(request).await };
        let name = self.name;
        let (mut response, state) = match decision {
            Decision::Allowed { remaining } => (next.run(request).await, format!("\"{name}\";r={remaining}")),
            Decision::Refused { wait } => {
                // Whole seconds, rounded up: too early would only be refused again.
                let seconds = wait.as_secs() + 1;
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many calls, slow down");
                (problem.with_retry_after(seconds).into_response(), format!("\"{name}\";r=0;t={seconds}"))
            }
        };
        let headers = response.headers_mut();
        headers.insert("ratelimit-policy", self.policy.clone());
        if let Ok(state) = HeaderValue::try_from(state) {
            headers.insert("ratelimit", state);
        }
        response
    }

    /// `None` where there is no limit.
    async fn check(&self, caller: Caller) -> Option<Decision> {
        let own = self.own.as_ref()?;
        if let Some(shared) = &self.shared
            && let Ok(decision) = shared.check(caller).await
        {
            return Some(decision);
        }
        Some(match own.check_key(&caller) {
            Ok(snapshot) => Decision::Allowed { remaining: snapshot.remaining_burst_capacity() },
            Err(not_until) => Decision::Refused { wait: not_until.wait_time_from(DefaultClock::default().now()) },
        })
    }

    fn caller(&self, request: &Request) -> Caller {
        match request.extensions().get::<Identity>() {
            Some(Identity(Ok(claims))) if !self.by_address => Caller::User(claims.sub),
            _ => Caller::Address(network(self.address(request))),
        }
    }

    /// The client's address; `X-Forwarded-For` is read from the right, past the proxies that are trusted.
    fn address(&self, request: &Request) -> IpAddr {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical());
        let trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|network| network.contains(address));
        if !trusted(&peer) {
            return peer;
        }
        let hops = forwarded_for(request.headers());
        hops.into_iter().rev().find(|hop| !trusted(hop)).unwrap_or(peer)
    }
}

fn forwarded_for(headers: &HeaderMap) -> Vec<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse::<IpAddr>().ok()).collect()
}

/// One customer's IPv6 addresses, usually a /64, count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn limit(proxies: &[&str]) -> Limit {
        let proxies = proxies.iter().map(|text| text.parse().expect("network")).collect();
        let options = Options {
            jwt_ttl: Duration::ZERO,
            cache_ttl: Duration::ZERO,
            rate_limit: 1,
            auth_rate_limit: 1,
            trusted_proxies: proxies,
        };
        Limit::of_calls(&options, None)
    }

    fn address(limit: &Limit, peer: &str, forwarded: &[&str]) -> String {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().expect("address"), 1)));
        for value in forwarded {
            request.headers_mut().append("x-forwarded-for", value.parse().expect("value"));
        }
        limit.address(&request).to_string()
    }

    #[test]
    fn x_forwarded_for_is_believed_only_from_trusted_proxies() {
        let nobody = limit(&[]);
        assert_eq!(address(&nobody, "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        let proxies = limit(&["10.0.0.0/8"]);
        assert_eq!(address(&proxies, "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(address(&proxies, "::ffff:10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        // What the client wrote itself stands on the left, and is not believed.
        assert_eq!(address(&proxies, "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(address(&proxies, "10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(address(&proxies, "10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(address(&proxies, "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
    }

    #[test]
    fn one_ipv6_network_counts_as_one() {
        let parse = |text: &str| network(text.parse().expect("address"));
        assert_eq!(parse("2001:db8:1:2:3::4"), parse("2001:db8:1:2::5"));
        assert_ne!(parse("2001:db8:1:2::4"), parse("2001:db8:1:3::4"));
        assert_ne!(parse("10.0.0.1"), parse("10.0.0.2"));
    }
}

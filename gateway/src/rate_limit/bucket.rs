//! Buckets of calls, one a key, that fill up again by and by: GCRA (the leaky bucket of ITU-T I.371), with one thing more
//! than libraries have: what a call has cost besides is charged afterwards, when it is known, and may leave a debt.

mod own;
mod shared;

use std::{
    fmt,
    net::IpAddr,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use uuid::Uuid;

use self::{own::Own, shared::Shared};
use crate::redis::{Redis, RedisError};

/// A debt makes nobody wait longer than this.
const MAX_DEBT: Duration = Duration::from_secs(60);

/// Whose calls are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    User(Uuid),
    Address(IpAddr),
    /// A username, known or not, or one and an address: as a hash, since anybody can send any.
    Name(u128),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Address(address) => write!(f, "address:{address}"),
            Self::Name(hash) => write!(f, "name:{hash:032x}"),
        }
    }
}

/// How large buckets are, and how fast they fill up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// For one call to come back.
    interval: Duration,
    burst: u32,
}

impl Quota {
    /// `burst` at once; one comes back each `interval`.
    pub(crate) fn new(interval: Duration, burst: NonZeroU32) -> Self {
        Self { interval, burst: burst.get() }
    }

    pub(crate) fn burst(self) -> u32 {
        self.burst
    }

    /// For an empty bucket to fill up.
    pub(crate) fn window(self) -> Duration {
        self.interval * self.burst
    }

    /// For one call to come back.
    pub(crate) fn interval(self) -> Duration {
        self.interval
    }

    /// The longest that any bucket takes to fill up.
    fn longest(self) -> Duration {
        self.window() + MAX_DEBT
    }
}

/// What a step at a bucket found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Calls taken.
    pub(crate) taken: u32,
    /// Calls that may follow at once.
    pub(crate) left: u32,
    /// Until there is a call again, where there was none.
    pub(crate) wait: Option<Duration>,
}

/// One step: `charged` calls (less than none: given back) are taken whether they are there or not, and then up to `wanted`
/// of those that are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) wanted: u32,
    pub(crate) charged: i64,
}

impl Step {
    /// Changes nothing.
    pub(crate) const LOOK: Self = Self { wanted: 0, charged: 0 };
    pub(crate) const TAKE: Self = Self { wanted: 1, charged: 0 };
    pub(crate) const CHARGE: Self = Self { wanted: 0, charged: 1 };
    pub(crate) const GIVE_BACK: Self = Self { wanted: 0, charged: -1 };
}

/// Buckets that all gateways on one Redis share; without one, or while it is down, this gateway's own.
pub(crate) struct Buckets {
    own: Own,
    shared: Option<Shared>,
}

impl Buckets {
    /// `name` tells them from others in Redis.
    pub(crate) fn new(name: &'static str, quota: Quota, redis: Option<&Redis>) -> Self {
        Self { own: Own::new(quota), shared: redis.map(|redis| Shared::new(name, quota, redis.clone())) }
    }

    pub(crate) async fn step(&self, key: Key, step: Step) -> Level {
        match self.step_shared(key, step).await {
            Some(Ok(level)) => level,
            None | Some(Err(_)) => self.step_own(key, step),
        }
    }

    /// `None` where there is no Redis, an error where it is down.
    pub(super) async fn step_shared(&self, key: Key, step: Step) -> Option<Result<Level, RedisError>> {
        Some(self.shared.as_ref()?.step(key, step).await)
    }

    pub(super) fn step_own(&self, key: Key, step: Step) -> Level {
        self.own.step(key, step, Instant::now())
    }

    pub(super) fn are_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Forgets full buckets, so that memory stays bounded. Redis does so by itself.
    pub(crate) fn sweep(&self) {
        self.own.sweep(Instant::now());
    }
}

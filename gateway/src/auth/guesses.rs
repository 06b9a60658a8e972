//! Against guessing passwords: what fails is charged, to the name that was tried and to the address it was tried from.
//!
//! - A name has ten failures, from everywhere together; then one more try a minute. Unknown names no less than known ones.
//! - Where somebody has logged in by that name before, ten of its own: whoever keeps guessing at a name slows down others
//!   who guess at it, and not its owner at home (OWASP's "device cookie", with the address in place of the cookie).
//! - An address has `AUTH_RATE_LIMIT` failures and registrations a minute. Success costs it nothing, so that nobody is kept
//!   out by who else is behind it.
//! - Attempts at one name go one at a time: a hundred at once are not a hundred before the first of them has failed.

use std::{convert::Infallible, net::IpAddr, num::NonZeroU32, time::Duration};

use axum::http::StatusCode;
use moka::sync::Cache as Moka;
use proto::errors;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::{
    error::Problem,
    rate_limit::{
        ClientAddress,
        bucket::{Buckets, Key, Quota, Step},
        retry_after,
    },
    redis::Redis,
};

/// Failures that a name has at once; one comes back each [`FORGIVEN`].
const FAILURES: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const FORGIVEN: Duration = Duration::from_secs(60);

/// Successful logins that a name has at once; one comes back each second. Each takes a processor for 60 ms.
const LOGINS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");

/// How long an address is remembered where somebody logged in.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
/// Addresses that a gateway remembers by itself, at most.
const MAX_REMEMBERED: u64 = 100_000;
/// A command at most.
const PATIENCE: Duration = Duration::from_millis(50);

/// Names whose attempts do not wait for one another, mostly.
const LANES: usize = 256;

/// Admits attempts to log in and to register, or refuses them.
pub(crate) struct Guesses(Option<Limits>);

struct Limits {
    failures: Buckets,
    logins: Buckets,
    addresses: Buckets,
    remembered: Remembered,
    lanes: [Mutex<()>; LANES],
}

impl Guesses {
    /// `per_minute` is that of an address; 0 is no limit, of names neither.
    pub(crate) fn new(per_minute: u32, redis: Option<&Redis>) -> Self {
        Self(NonZeroU32::new(per_minute).map(|per_minute| Limits {
            failures: Buckets::new("failures", Quota::new(FORGIVEN, FAILURES), redis),
            logins: Buckets::new("logins", Quota::new(Duration::from_secs(1), LOGINS), redis),
            addresses: Buckets::new("auth", Quota::new(Duration::from_secs(60) / per_minute.get(), per_minute), redis),
            remembered: Remembered::new(redis),
            lanes: std::array::from_fn(|_| Mutex::default()),
        }))
    }

    /// Forgets who has not failed for a while.
    pub(crate) fn sweep(&self) -> Result<&'static str, Infallible> {
        if let Some(Limits { failures, logins, addresses, .. }) = &self.0 {
            [failures, logins, addresses].into_iter().for_each(Buckets::sweep);
        }
        Ok("looked")
    }

    /// Lets `attempt` log somebody in by `name`, or refuses to.
    pub(crate) async fn login<T>(
        &self,
        name: &str,
        ClientAddress(from): ClientAddress,
        attempt: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let Some(limits) = &self.0 else { return attempt.await };
        let (by_name, at_home) = (name_key(name, None), name_key(name, Some(from)));
        let _turn = limits.lanes[lane(by_name)].lock().await;
        take(&limits.addresses, Key::Address(from), Step::LOOK).await?;
        // Charged before it has failed, so that going away saves nothing.
        let charged = match take(&limits.failures, by_name, Step::TAKE).await {
            Ok(()) => by_name,
            Err(_) if limits.remembered.has(at_home).await => {
                take(&limits.failures, at_home, Step::TAKE).await.map(|()| at_home)?
            }
            Err(refused) => return Err(refused),
        };
        let outcome = match take(&limits.logins, by_name, Step::LOOK).await {
            Ok(()) => attempt.await,
            Err(refused) => Err(refused),
        };
        match &outcome {
            Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
                limits.addresses.step(Key::Address(from), Step::CHARGE).await;
            }
            _ => {
                limits.failures.step(charged, Step::GIVE_BACK).await;
            }
        }
        if outcome.is_ok() {
            limits.logins.step(by_name, Step::CHARGE).await;
            limits.remembered.add(at_home).await;
        }
        outcome
    }

    /// Lets `attempt` register somebody, or refuses to. Only who is registered counts: that is what costs.
    pub(crate) async fn register<T>(
        &self,
        ClientAddress(from): ClientAddress,
        attempt: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let Some(limits) = &self.0 else { return attempt.await };
        let key = Key::Address(from);
        take(&limits.addresses, key, Step::TAKE).await?;
        let outcome = attempt.await;
        if outcome.is_err() {
            limits.addresses.step(key, Step::GIVE_BACK).await;
        }
        outcome
    }
}

/// 429 where there is none left to take.
async fn take(buckets: &Buckets, key: Key, step: Step) -> Result<(), Problem> {
    match buckets.step(key, step).await.wait {
        None => Ok(()),
        Some(wait) => {
            Err(Problem::new(errors::RATE_LIMITED, "too many attempts, try later").with_retry_after(retry_after(wait)))
        }
    }
}

/// Of a name in any case, at an address where one is given.
fn name_key(name: &str, at: Option<IpAddr>) -> Key {
    // Of a length of its own, so that no name reads like another one at an address.
    let place = at.map_or([0; 17], |address| {
        let octets = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        std::array::from_fn(|index| index.checked_sub(1).map_or(1, |index| octets[index]))
    });
    let hash = Sha256::new_with_prefix(place).chain_update(name.to_ascii_lowercase());
    Key::Name(hash.finalize().first_chunk().map_or(0, |half| u128::from_be_bytes(*half)))
}

fn lane(key: Key) -> usize {
    match key {
        Key::Name(hash) => usize::try_from(hash % LANES as u128).unwrap_or(0),
        Key::User(_) | Key::Address(_) => 0,
    }
}

/// Where people have logged in: names at addresses.
struct Remembered {
    own: Moka<Key, ()>,
    redis: Option<Redis>,
}

impl Remembered {
    fn new(redis: Option<&Redis>) -> Self {
        let own = Moka::builder().max_capacity(MAX_REMEMBERED).time_to_live(REMEMBERED).build();
        Self { own, redis: redis.cloned() }
    }

    async fn has(&self, key: Key) -> bool {
        if self.own.contains_key(&key) {
            return true;
        }
        let Some(redis) = &self.redis else { return false };
        let key = redis.key(format_args!("login:{key}"));
        // Without Redis nobody can log in.
        redis.exists(PATIENCE, key).await.unwrap_or(false)
    }

    async fn add(&self, key: Key) {
        self.own.insert(key, ());
        let Some(redis) = &self.redis else { return };
        let key = redis.key(format_args!("login:{key}"));
        // The breaker says so where it fails; this gateway remembers all the same.
        let _ = redis.remember(PATIENCE, key, REMEMBERED).await;
    }
}

#[cfg(test)]
mod tests;

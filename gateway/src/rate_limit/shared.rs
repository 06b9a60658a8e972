//! A limit that all gateways on one Redis share: GCRA, with one bucket a caller.
//!
//! Calls are taken from the bucket in leases of a tenth of a second's worth, so that few calls wait for Redis. No
//! caller ever gets more than the limit; who spreads calls over several gateways may be refused a lease early.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use fred::interfaces::LuaInterface;
use governor::Quota;

use super::{Caller, Decision};
use crate::redis::{Redis, RedisError};

/// The longest that taking a lease may hold up a request.
const PATIENCE: Duration = Duration::from_millis(50);
/// What is left of a lease after this is lost. The bucket has filled up by more meanwhile.
const LEASE: Duration = Duration::from_secs(1);
/// Calls in a lease at most.
const MAX_LEASE: f64 = 1000.0;

/// Takes up to ARGV[3] calls from the bucket KEYS[1] of ARGV[2] calls, which gets one back every ARGV[1] microseconds.
/// Gives how many it took, how many are left, and after how many microseconds there is one where it took none.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local free = math.floor(burst - (full_at - now) / interval)
local taken = math.min(wanted, free)
if taken < 1 then
    return {0, 0, full_at - now - (burst - 1) * interval}
end
full_at = full_at + taken * interval
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
return {taken, free - taken, 0}
";

/// Calls that this gateway may still let through.
struct Lease {
    calls: u32,
    /// In the bucket besides.
    remaining: u32,
    ends: Instant,
}

pub(super) struct SharedLimit {
    redis: Redis,
    name: &'static str,
    /// Microseconds for one call.
    interval: f64,
    burst: u32,
    /// Calls in a lease.
    lease: u32,
    leases: Mutex<HashMap<Caller, Lease>>,
}

impl SharedLimit {
    pub(super) fn new(name: &'static str, quota: Quota, redis: Redis) -> Self {
        let interval = quota.replenish_interval().as_secs_f64();
        // In range, and rounded down on purpose.
        let lease = (0.1 / interval).clamp(1.0, MAX_LEASE) as u32;
        let (interval, burst) = (interval * 1e6, quota.burst_size().get());
        Self { redis, name, interval, burst, lease, leases: Mutex::default() }
    }

    /// An error where Redis is down.
    pub(super) async fn check(&self, caller: Caller) -> Result<Decision, RedisError> {
        if let Some(remaining) = self.spend(caller) {
            return Ok(Decision::Allowed { remaining });
        }
        let key = self.redis.key(format_args!("limit:{}:{caller}", self.name));
        let arguments = vec![self.interval.to_string(), self.burst.to_string(), self.lease.to_string()];
        let (taken, left, wait): (u32, u32, u64) =
            self.redis.call(PATIENCE, async |redis| redis.eval(TAKE, key, arguments).await).await?;
        Ok(match taken {
            0 => Decision::Refused { wait: Duration::from_micros(wait) },
            _ => Decision::Allowed { remaining: self.begin(caller, taken, left) },
        })
    }

    /// One call of a lease; how many may follow, or `None` where no lease has any.
    fn spend(&self, caller: Caller) -> Option<u32> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.get_mut(&caller).filter(|lease| lease.calls > 0 && lease.ends > Instant::now())?;
        lease.calls -= 1;
        Some(lease.calls + lease.remaining)
    }

    /// Begins a lease of `taken` calls and spends its first; how many may follow.
    fn begin(&self, caller: Caller, taken: u32, remaining: u32) -> u32 {
        let now = Instant::now();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call of the same caller may have begun one meanwhile.
        let others = leases.get(&caller).filter(|lease| lease.ends > now).map_or(0, |lease| lease.calls);
        let calls = others + taken - 1;
        if calls > 0 {
            leases.insert(caller, Lease { calls, remaining, ends: now + LEASE });
        }
        calls + remaining
    }

    /// Forgets what has ended.
    pub(super) fn retain_recent(&self) {
        let now = Instant::now();
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, lease| lease.ends > now);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use uuid::Uuid;

    use super::*;
    use crate::redis::testing::Scratch;

    fn quota(rate: u32, burst: u32) -> Quota {
        let count = |count| NonZeroU32::new(count).expect("not zero");
        Quota::per_minute(count(rate)).allow_burst(count(burst))
    }

    /// How many of `calls` calls are allowed, turn by turn over `limits`.
    async fn allowed(limits: &[&SharedLimit], caller: Caller, calls: usize) -> usize {
        let mut allowed = 0;
        for limit in limits.iter().cycle().take(calls) {
            let decision = limit.check(caller).await.expect("answers");
            allowed += usize::from(matches!(decision, Decision::Allowed { .. }));
        }
        allowed
    }

    #[tokio::test]
    async fn gateways_share_a_callers_bucket() {
        let scratch = Scratch::new();
        // A call a minute comes back: none while the test runs.
        let one = SharedLimit::new("calls", quota(1, 10), scratch.connect().await);
        let two = SharedLimit::new("calls", quota(1, 10), scratch.connect().await);
        let (ada, bob) = (Caller::User(Uuid::from_u128(1)), Caller::User(Uuid::from_u128(2)));
        assert_eq!(one.check(ada).await.expect("answers"), Decision::Allowed { remaining: 9 });
        assert_eq!(two.check(ada).await.expect("answers"), Decision::Allowed { remaining: 8 });
        assert_eq!(allowed(&[&one, &two], ada, 20).await, 8, "ten in all");
        let Decision::Refused { wait } = two.check(ada).await.expect("answers") else { panic!("allowed") };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
        assert_eq!(allowed(&[&one, &two], bob, 20).await, 10, "another caller has another bucket");
        let other = SharedLimit::new("auth", quota(1, 10), scratch.connect().await);
        assert_eq!(allowed(&[&other], ada, 20).await, 10, "and so has another limit");
    }

    #[tokio::test]
    async fn leases_never_give_more_than_the_bucket_has() {
        let scratch = Scratch::new();
        // Leases of 100 calls, and one comes back every millisecond.
        let (one, two) = (scratch.connect().await, scratch.connect().await);
        let limit = |redis| SharedLimit::new("calls", quota(60_000, 2_000), redis);
        let (one, two) = (limit(one), limit(two));
        assert_eq!(one.lease, 100);
        let begin = Instant::now();
        let allowed = allowed(&[&one, &two], Caller::User(Uuid::from_u128(1)), 4_000).await;
        let most = 2_000 + usize::try_from(begin.elapsed().as_millis()).expect("fits") + 1;
        // Each may be left with a lease that the other had use for.
        assert!((1_800..=most).contains(&allowed), "{allowed} of at most {most}");
    }

    #[tokio::test]
    async fn a_bucket_fills_up_again() {
        let scratch = Scratch::new();
        let limit = SharedLimit::new("calls", quota(600, 1), scratch.connect().await);
        let ada = Caller::User(Uuid::from_u128(1));
        assert_eq!(allowed(&[&limit], ada, 2).await, 1);
        let Decision::Refused { wait } = limit.check(ada).await.expect("answers") else { panic!("allowed") };
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        tokio::time::sleep(wait).await;
        assert_eq!(allowed(&[&limit], ada, 1).await, 1);
    }
}

//! Buckets in Redis.

use std::time::Duration;

use super::{Key, Level, Quota, Step};
use crate::redis::{Redis, RedisError};

/// The longest that a step may hold up a request.
const PATIENCE: Duration = Duration::from_millis(50);

/// A step at the bucket KEYS[1] of ARGV[2] calls, which gets one back every ARGV[1] microseconds: ARGV[4] are charged, then
/// up to ARGV[3] taken. Gives how many it took, how many are left, and after how many microseconds there is one where there
/// was none. It is never further from full than ARGV[5] microseconds, also when Redis' own clock was set back.
const STEP: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst, wanted, charged = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local full_at = math.min(math.max(kept + charged * interval, now), now + tonumber(ARGV[5]))
local free = math.max(math.floor(burst - (full_at - now) / interval), 0)
local taken = math.min(wanted, free)
local wait = 0
if free < 1 then
    wait = full_at - now - (burst - 1) * interval
end
full_at = full_at + taken * interval
if full_at <= now then
    redis.call('DEL', KEYS[1])
elseif full_at ~= kept then
    redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return {taken, free - taken, wait}
";

pub(super) struct Shared {
    redis: Redis,
    name: &'static str,
    quota: Quota,
}

impl Shared {
    pub(super) fn new(name: &'static str, quota: Quota, redis: Redis) -> Self {
        Self { redis, name, quota }
    }

    /// An error where Redis is down.
    pub(super) async fn step(&self, key: Key, step: Step) -> Result<Level, RedisError> {
        let key = self.redis.key(format_args!("limit:{}:{key}", self.name));
        let micros = |duration: Duration| (duration.as_secs_f64() * 1e6).to_string();
        let arguments = vec![
            micros(self.quota.interval),
            self.quota.burst.to_string(),
            step.wanted.to_string(),
            step.charged.to_string(),
            micros(self.quota.longest()),
        ];
        let (taken, left, wait): (u32, u32, u64) = self.redis.eval(PATIENCE, STEP, key, arguments).await?;
        let wait = (taken + left == 0).then(|| Duration::from_micros(wait));
        Ok(Level { taken, left, wait })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use fred::interfaces::KeysInterface;

    use super::*;
    use crate::{rate_limit::bucket::MAX_DEBT, redis::testing::Scratch};

    const ADA: Key = Key::Name(1);

    /// A bucket of ten, one of which comes back each minute: none while a test runs.
    async fn ten(scratch: &Scratch, name: &'static str) -> Shared {
        let quota = Quota::new(Duration::from_secs(60), NonZeroU32::new(10).expect("not zero"));
        Shared::new(name, quota, scratch.connect().await)
    }

    fn near(wait: Option<Duration>, seconds: u64) -> bool {
        wait.is_some_and(|wait| (seconds - 20..=seconds).contains(&wait.as_secs()))
    }

    #[tokio::test]
    async fn gateways_share_a_bucket() {
        let scratch = Scratch::new();
        let (one, two) = (ten(&scratch, "calls").await, ten(&scratch, "calls").await);
        for left in (0..10).rev() {
            let limit = if left % 2 == 0 { &one } else { &two };
            assert_eq!(limit.step(ADA, Step::TAKE).await.expect("answers"), Level { taken: 1, left, wait: None });
        }
        for limit in [&one, &two] {
            let level = limit.step(ADA, Step::TAKE).await.expect("answers");
            assert!(level.taken == 0 && near(level.wait, 60), "{level:?}");
        }
        assert_eq!(one.step(Key::Name(2), Step::LOOK).await.expect("answers").left, 10, "another has another bucket");
        assert_eq!(ten(&scratch, "auth").await.step(ADA, Step::LOOK).await.expect("answers").left, 10);
    }

    #[tokio::test]
    async fn what_is_charged_may_leave_a_debt_and_what_is_given_back_is_there_again() {
        let scratch = Scratch::new();
        let limit = ten(&scratch, "calls").await;
        let step = async |wanted, charged| limit.step(ADA, Step { wanted, charged }).await.expect("answers");
        assert_eq!(step(0, 9).await.left, 1);
        assert_eq!(step(0, -1).await.left, 2);
        assert_eq!(step(5, 0).await, Level { taken: 2, left: 0, wait: None });
        let in_debt = step(0, 1).await;
        assert!(near(in_debt.wait, 120), "{in_debt:?}");
        let most = step(0, 1_000_000).await;
        assert!(near(most.wait, 60 + MAX_DEBT.as_secs()), "{most:?}");
        assert_eq!(step(0, -1_000_000).await.left, 10);
    }

    #[tokio::test]
    async fn a_clock_of_redis_that_was_set_back_locks_nobody_out() {
        let scratch = Scratch::new();
        let limit = ten(&scratch, "calls").await;
        // As if it had been written when the clock showed the year 2100.
        let key = limit.redis.key(format_args!("limit:calls:{ADA}"));
        let set = async |redis: fred::clients::WithOptions<fred::clients::Client>| {
            redis.set::<(), _, _>(key, "4102444800000000", None, None, false).await
        };
        limit.redis.call(PATIENCE, set).await.expect("set");
        let level = limit.step(ADA, Step::TAKE).await.expect("answers");
        assert!(near(level.wait, 60 + MAX_DEBT.as_secs()), "{level:?}");
    }
}

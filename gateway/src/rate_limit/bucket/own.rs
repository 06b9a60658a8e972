//! Buckets in this process' memory.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Key, Level, Quota, Step};

/// When each bucket will be full; one that is not here is.
pub(super) struct Own {
    quota: Quota,
    full_at: Mutex<HashMap<Key, Instant>>,
}

impl Own {
    pub(super) fn new(quota: Quota) -> Self {
        Self { quota, full_at: Mutex::default() }
    }

    pub(super) fn step(&self, key: Key, step: Step, now: Instant) -> Level {
        let interval = self.quota.interval;
        let worth = |calls: u64| interval.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = buckets.get(&key).map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now));
        // Until it is full.
        let mut empty = match step.charged {
            0 => kept,
            more @ 1.. => kept.saturating_add(worth(more.unsigned_abs())).min(self.quota.longest()),
            less => kept.saturating_sub(worth(less.unsigned_abs())),
        };
        let there = self.quota.window().saturating_sub(empty).as_nanos() / interval.as_nanos().max(1);
        let there = u32::try_from(there).unwrap_or(u32::MAX);
        let taken = step.wanted.min(there);
        empty += worth(taken.into());
        if empty != kept {
            buckets.insert(key, now + empty);
        }
        let wait = (there == 0).then(|| (empty + interval).saturating_sub(self.quota.window()));
        Level { taken, left: there - taken, wait }
    }

    pub(super) fn sweep(&self, now: Instant) {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|_, full_at| *full_at > now);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use uuid::Uuid;

    use super::*;
    use crate::rate_limit::bucket::MAX_DEBT;

    const ADA: Key = Key::User(Uuid::from_u128(1));

    /// A bucket of ten, one of which comes back each second.
    fn ten() -> Own {
        Own::new(Quota::new(Duration::from_secs(1), NonZeroU32::new(10).expect("not zero")))
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_as_fast_as_it_fills_up() {
        let (own, now) = (ten(), Instant::now());
        for left in (0..10).rev() {
            assert_eq!(own.step(ADA, Step::TAKE, now), Level { taken: 1, left, wait: None });
        }
        let empty = Level { taken: 0, left: 0, wait: Some(seconds(1)) };
        assert_eq!(own.step(ADA, Step::TAKE, now), empty);
        assert_eq!(own.step(Key::Name(1), Step::LOOK, now).left, 10, "another has another bucket");
        let later = now + seconds(1);
        assert_eq!(own.step(ADA, Step::TAKE, later).taken, 1);
        assert_eq!(own.step(ADA, Step::TAKE, later), empty);
        assert_eq!(own.step(ADA, Step::LOOK, later + seconds(100)).left, 10, "and no more than ten");
    }

    #[test]
    fn what_is_charged_beyond_the_bucket_is_waited_for_but_no_longer_than_a_debt_may_be() {
        let (own, now) = (ten(), Instant::now());
        own.step(ADA, Step { wanted: 0, charged: 15 }, now);
        let level = own.step(ADA, Step::TAKE, now);
        assert_eq!(level, Level { taken: 0, left: 0, wait: Some(seconds(6)) });
        assert_eq!(own.step(ADA, Step::TAKE, now + seconds(5)).taken, 0);
        assert_eq!(own.step(ADA, Step::TAKE, now + seconds(6)).taken, 1);
        own.step(ADA, Step { wanted: 0, charged: i64::MAX }, now);
        assert_eq!(own.step(ADA, Step::LOOK, now).wait, Some(MAX_DEBT + seconds(1)));
    }

    #[test]
    fn what_is_given_back_is_there_again_and_never_more_than_the_bucket_holds() {
        let (own, now) = (ten(), Instant::now());
        own.step(ADA, Step::TAKE, now);
        assert_eq!(own.step(ADA, Step::GIVE_BACK, now).left, 10);
        assert_eq!(own.step(ADA, Step::GIVE_BACK, now).left, 10);
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (own, now) = (ten(), Instant::now());
        own.step(ADA, Step::TAKE, now);
        own.sweep(now);
        assert_eq!(own.full_at.lock().expect("lock").len(), 1);
        own.sweep(now + seconds(1));
        assert!(own.full_at.lock().expect("lock").is_empty());
    }
}

//! Calls that a gateway has taken from shared buckets ahead of time: a tenth of a second's worth, so that few calls wait
//! for Redis. No caller ever gets more than the limit; who spreads calls over several gateways may be refused a lease early.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::bucket::{Key, Level, Quota, Step};

/// What is left of a lease after this is lost. The bucket has filled up by more meanwhile.
const LEASE: Duration = Duration::from_secs(1);
/// Calls in a lease at most.
const MAX_LEASE: f64 = 1000.0;
/// What a caller owes is forgotten where no call follows for so long. The bucket has filled up by more meanwhile, mostly.
const DEBT: Duration = Duration::from_secs(60);

/// What a gateway has of one bucket.
struct Lease {
    calls: u32,
    /// In the bucket besides.
    left: u32,
    ends: Instant,
    /// Calls that the bucket is still to be charged.
    owed: i64,
    forgotten: Instant,
}

/// The leases of all callers.
pub(super) struct Leases {
    /// Calls in a lease.
    size: u32,
    leases: Mutex<HashMap<Key, Lease>>,
}

impl Leases {
    pub(super) fn new(quota: Quota) -> Self {
        // In range, and rounded down on purpose.
        let size = (0.1 / quota.interval().as_secs_f64()).clamp(1.0, MAX_LEASE) as u32;
        Self { size, leases: Mutex::default() }
    }

    /// One call of a lease; how many may follow. An error where no lease has any: what to ask the bucket for then.
    pub(super) fn spend(&self, key: Key) -> Result<Level, Step> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lease) = leases.get_mut(&key) else { return Err(Step { wanted: self.size, charged: 0 }) };
        let charged = std::mem::take(&mut lease.owed);
        if charged > 0 || lease.calls == 0 || lease.ends <= Instant::now() {
            return Err(Step { wanted: self.size, charged });
        }
        lease.calls -= 1;
        Ok(Level { taken: 1, left: lease.calls + lease.left, wait: None })
    }

    /// Begins a lease of what was taken, and spends its first call.
    pub(super) fn begin(&self, key: Key, level: Level) -> Level {
        let Some(calls) = level.taken.checked_sub(1) else { return level };
        let now = Instant::now();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call of the same caller may have begun one, or cost more, meanwhile.
        let other = leases.get(&key);
        let (others, owed) = other.map_or((0, 0), |o| (if o.ends > now { o.calls } else { 0 }, o.owed));
        let calls = others + calls;
        leases.insert(key, Lease { calls, left: level.left, ends: now + LEASE, owed, forgotten: now + DEBT });
        Level { taken: 1, left: calls + level.left, wait: None }
    }

    /// Charges so many calls: those that are leased first, the others go along when the bucket is asked next.
    pub(super) fn charge(&self, key: Key, calls: u32) {
        let now = Instant::now();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.entry(key).or_insert(Lease { calls: 0, left: 0, ends: now, owed: 0, forgotten: now + DEBT });
        let leased = if lease.ends > now { lease.calls.min(calls) } else { 0 };
        lease.calls -= leased;
        lease.owed += i64::from(calls - leased);
        lease.forgotten = now + DEBT;
    }

    /// Forgets what has ended.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|_, lease| lease.ends > now || (lease.owed > 0 && lease.forgotten > now));
    }
}

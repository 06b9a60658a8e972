//! The time by which things end: the wall clock, as long as it goes forward.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The later of the wall clock and of the latest time that it has shown plus what has passed since. A wall clock that is
/// set back changes nothing: what has ended stays ended. One that is set forward is followed, and kept to until the
/// process ends.
///
/// Clones are one clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    wall: Box<dyn Fn() -> SystemTime + Send + Sync>,
    /// Of the monotonic clock, which nobody sets.
    start: Instant,
    /// The most that the wall clock was ahead of the time since `start`, microseconds since the Unix epoch.
    lead: AtomicI64,
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self::new(SystemTime::now)
    }

    /// On another wall clock: for tests, which set it.
    pub fn new(wall: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { wall: Box::new(wall), start: Instant::now(), lead: AtomicI64::new(i64::MIN) }))
    }

    /// Whole seconds since the Unix epoch, as tokens count them.
    pub fn unix_seconds(&self) -> i64 {
        let Inner { wall, start, lead } = &*self.0;
        let since = micros(start.elapsed());
        let shown = wall().duration_since(UNIX_EPOCH).map_or(0, micros);
        let ahead = shown - since;
        (lead.fetch_max(ahead, Relaxed).max(ahead) + since).div_euclid(1_000_000)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("unix_seconds", &self.unix_seconds()).finish()
    }
}

/// Cut off at 146 000 years, so that two of them can be added.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn it_follows_the_wall_clock_forward_and_never_back() {
        let wall = Arc::new(AtomicU64::new(1_000));
        let shown = Arc::clone(&wall);
        let clock = Clock::new(move || UNIX_EPOCH + Duration::from_secs(shown.load(Relaxed)));
        // Time passes while the test runs, but no minute.
        let shows = |seconds: i64| (seconds..seconds + 60).contains(&clock.unix_seconds());
        assert!(shows(1_000));
        wall.store(5_000, Relaxed);
        assert!(shows(5_000));
        wall.store(1_000, Relaxed);
        assert!(shows(5_000) && clock.clone().unix_seconds() >= 5_000);
        wall.store(0, Relaxed);
        assert!(shows(5_000));
        wall.store(6_000, Relaxed);
        assert!(shows(6_000));
    }

    #[test]
    fn times_before_the_epoch_and_at_the_end_of_all_are_no_trouble() {
        assert!((0..60).contains(&Clock::new(|| UNIX_EPOCH - Duration::from_secs(1)).unix_seconds()));
        let late = Clock::new(|| UNIX_EPOCH + Duration::from_secs(1 << 43));
        assert_eq!((late.unix_seconds(), late.unix_seconds()), (i64::MAX / 2 / 1_000_000, i64::MAX / 2 / 1_000_000));
    }

    #[test]
    fn between_two_looks_at_a_clock_that_stands_time_goes_on() {
        let clock = Clock::new(|| UNIX_EPOCH + Duration::from_secs(1_000));
        let first = clock.unix_seconds();
        let begun = Instant::now();
        while clock.unix_seconds() == first {
            assert!(begun.elapsed() < Duration::from_secs(20), "it stands still");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

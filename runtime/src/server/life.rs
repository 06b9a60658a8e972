//! The life of one connection: what its requests and answers tell, and what follows from it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::limits::{Limits, MIN_RATE};

/// What is going on on a connection.
#[derive(Debug, Default)]
pub(super) struct Life {
    /// A request's head was complete.
    spoken: AtomicBool,
    http2: AtomicBool,
    /// Requests that came and whose answers are not all written.
    open: AtomicUsize,
    /// Answer bytes that are made and not written.
    unread: AtomicUsize,
    /// Answer bytes written since the connect.
    written: AtomicU64,
    /// `unread` was 0 since this was last looked at.
    emptied: AtomicBool,
    /// Its last answer was given before all of the request was there.
    lingers: AtomicBool,
}

impl Life {
    /// A request's head is complete.
    pub(super) fn request(self: &Arc<Self>, http2: bool) -> Open {
        self.spoken.store(true, Relaxed);
        self.http2.store(http2, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(Arc::clone(self))
    }

    pub(super) fn has_spoken(&self) -> bool {
        self.spoken.load(Relaxed)
    }

    pub(super) fn linger(&self) {
        self.lingers.store(true, Relaxed);
    }

    pub(super) fn lingers(&self) -> bool {
        self.lingers.load(Relaxed)
    }

    pub(super) fn made(&self, bytes: usize) {
        self.unread.fetch_add(bytes, Relaxed);
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Relaxed);
        self.gone(bytes);
    }

    /// Written, or never to be.
    pub(super) fn gone(&self, bytes: usize) {
        if self.unread.fetch_sub(bytes, Relaxed) == bytes {
            self.emptied.store(true, Relaxed);
        }
    }
}

/// A request whose answer is not all written.
#[derive(Debug)]
pub(super) struct Open(Arc<Life>);

impl Open {
    pub(super) fn life(&self) -> &Arc<Life> {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// No new requests; it goes when those under way are answered.
    Drain,
    /// Closed at once, and why.
    Close(&'static str),
}

/// Looks at a connection every now and then. Coarse: one timer a connection, none a request.
#[derive(Debug)]
pub(super) struct Watch {
    life: Arc<Life>,
    limits: Limits,
    ends: Instant,
    draining: bool,
    idle_since: Option<Instant>,
    /// When answers last were all written, or had been taken fast enough, and what was written by then.
    progress: (Instant, u64),
}

impl Watch {
    /// Of a connection that was made `now`; `salt` spreads the ends of many.
    pub(super) fn new(life: Arc<Life>, limits: Limits, salt: u16, now: Instant) -> Self {
        let age = limits.age + limits.age / 8 * u32::from(salt % 64) / 64;
        Self { life, limits, ends: now + age, draining: false, idle_since: None, progress: (now, 0) }
    }

    /// When to look first: at what has not spoken by then.
    pub(super) fn first(&self) -> Duration {
        self.limits.first_request
    }

    /// Between two looks.
    pub(super) fn interval(&self) -> Duration {
        self.limits.progress.min(self.limits.idle) / 4
    }

    /// It was told to go.
    pub(super) fn draining(&mut self) {
        self.draining = true;
    }

    pub(super) fn look(&mut self, now: Instant) -> Verdict {
        if !self.life.has_spoken() {
            return Verdict::Close("no request in time");
        }
        if !self.progresses(now) {
            return Verdict::Close("nobody reads the answers");
        }
        let idle = self.idle(now);
        if self.draining {
            return if idle >= self.limits.progress { Verdict::Close("it would not go") } else { Verdict::Keep };
        }
        // Of HTTP/1.1 hyper closes what is idle, and there a request may just be under way to us.
        if self.life.http2.load(Relaxed) && (idle >= self.limits.idle || now >= self.ends) {
            return Verdict::Drain;
        }
        Verdict::Keep
    }

    fn progresses(&mut self, now: Instant) -> bool {
        let (since, before) = self.progress;
        let written = self.life.written.load(Relaxed);
        let emptied = self.life.emptied.swap(false, Relaxed) || self.life.unread.load(Relaxed) == 0;
        let enough = (MIN_RATE as f64 * self.limits.progress.as_secs_f64()) as u64;
        if emptied || written - before >= enough {
            self.progress = (now, written);
        }
        now - since < self.limits.progress || self.progress.0 == now
    }

    fn idle(&mut self, now: Instant) -> Duration {
        if self.life.open.load(Relaxed) > 0 {
            self.idle_since = None;
            return Duration::ZERO;
        }
        now - *self.idle_since.get_or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch() -> (Arc<Life>, Watch, Instant) {
        let (life, now) = (Arc::new(Life::default()), Instant::now());
        let watch = Watch::new(Arc::clone(&life), Limits::default(), 0, now);
        (life, watch, now)
    }

    #[test]
    fn who_says_nothing_is_closed() {
        let (life, mut watch, now) = watch();
        assert_eq!(watch.look(now + watch.first()), Verdict::Close("no request in time"));
        let _open = life.request(false);
        assert_eq!(watch.look(now + watch.first()), Verdict::Keep);
    }

    #[test]
    fn answers_are_taken_at_a_kibibyte_a_second_or_not_at_all() {
        let (life, mut watch, now) = watch();
        let _open = life.request(true);
        life.made(100_000);
        for second in 1..=20 {
            life.wrote(1024);
            assert_eq!(watch.look(now + second * SECOND), Verdict::Keep, "{second}");
        }
        for second in 21..30 {
            life.wrote(1023);
            assert_eq!(watch.look(now + second * SECOND), Verdict::Keep, "{second}");
        }
        life.wrote(1023);
        assert_eq!(watch.look(now + 30 * SECOND), Verdict::Close("nobody reads the answers"));
    }

    #[test]
    fn small_answers_one_by_one_are_progress() {
        let (life, mut watch, now) = watch();
        for second in 1..60 {
            let _open = life.request(true);
            life.made(10);
            life.wrote(10);
            life.made(10);
            assert_eq!(watch.look(now + second * SECOND), Verdict::Keep, "{second}");
            life.gone(10);
        }
    }

    #[test]
    fn http2_that_is_idle_or_old_is_told_to_go_and_then_closed() {
        let (life, mut watch, now) = watch();
        drop(life.request(true));
        assert_eq!(watch.look(now), Verdict::Keep);
        assert_eq!(watch.look(now + 74 * SECOND), Verdict::Keep);
        assert_eq!(watch.look(now + 75 * SECOND), Verdict::Drain);
        let open = life.request(true);
        assert_eq!(watch.look(now + 3599 * SECOND), Verdict::Keep);
        assert_eq!(watch.look(now + 3600 * SECOND), Verdict::Drain);
        watch.draining();
        assert_eq!(watch.look(now + 4000 * SECOND), Verdict::Keep, "a request is under way");
        drop(open);
        assert_eq!(watch.look(now + 4000 * SECOND), Verdict::Keep);
        assert_eq!(watch.look(now + 4010 * SECOND), Verdict::Close("it would not go"));
    }

    #[test]
    fn http1_is_left_to_hyper() {
        let (life, mut watch, now) = watch();
        drop(life.request(false));
        assert_eq!(watch.look(now), Verdict::Keep);
        assert_eq!(watch.look(now + 4000 * SECOND), Verdict::Keep);
    }
}

//! Requests in flight: so many in all, so many of one caller, and so many bytes of answers that wait to be read.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{body::HttpBody, response::Response};
use proto::errors;
use runtime::{
    counts::{Counted, Counts},
    server::{Endless, Share, UntilWritten},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{error::Problem, rate_limit::bucket::Key};

/// Requests at once at most, from when a body is there until the answer is written; more are shed with a 503.
const MAX_PLACES: usize = 1024;
/// Answers to reads that are made and not yet written, bytes at most; beyond, reads are shed with a 503.
const MAX_UNREAD: usize = 64 * 1024 * 1024;

/// All that is under way.
#[derive(Debug)]
pub(crate) struct InFlight {
    places: Arc<Semaphore>,
    unread: Arc<AtomicUsize>,
    /// Calls of one at most; 0 is no limit.
    per_caller: usize,
    callers: Counts<Key>,
}

impl InFlight {
    /// With at most `per_caller` calls of one caller at once; 0 is no limit.
    pub(crate) fn new(per_caller: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_PLACES)),
            unread: Arc::default(),
            per_caller: per_caller as usize,
            callers: Counts::default(),
        }
    }

    /// Notes a call, also while its body is on the way; 429 where its caller has too many.
    pub(crate) fn enter(&self, caller: Key) -> Result<UnderWay, Problem> {
        let max = self.per_caller;
        if max == 0 {
            return Ok(UnderWay(None));
        }
        if let Some(counted) = self.callers.enter(caller, max) {
            return Ok(UnderWay(Some(counted)));
        }
        let detail = format!("you have {max} calls under way: wait for their answers, and read them");
        Err(Problem::new(errors::TOO_MANY_AT_ONCE, detail).with_retry_after(1))
    }

    /// A place, for a call whose body is there.
    pub(crate) fn place(&self, under_way: UnderWay) -> Result<Place, Problem> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Problem::overloaded())?;
        Ok(Place { _permit: permit, _under_way: under_way })
    }

    /// Keeps the place, and the share of its connection's room, until the answer is written; of one without end, whose maker
    /// bounds it, until it begins. `made_again`: nothing is lost where it is thrown away.
    pub(crate) fn answered(
        &self,
        place: Place,
        mut share: Option<Share>,
        mut response: Response,
        made_again: bool,
    ) -> Result<Response, Problem> {
        if response.extensions().get::<Endless>().is_some() {
            return Ok(response);
        }
        let bytes = response.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        let before = self.unread.fetch_add(bytes, Ordering::Relaxed);
        let unread = Unread { bytes, all: Arc::clone(&self.unread) };
        if made_again && before + bytes > MAX_UNREAD {
            return Err(Problem::overloaded());
        }
        if let Some(share) = &mut share {
            share.fit(&response);
        }
        response.extensions_mut().insert(UntilWritten::new((place, share, unread)));
        Ok(response)
    }

    #[cfg(test)]
    pub(crate) fn places(&self) -> &Semaphore {
        &self.places
    }
}

/// One call of a caller, where these are limited.
#[derive(Debug)]
pub(crate) struct UnderWay(#[expect(dead_code, reason = "kept to be dropped")] Option<Counted<Key>>);

/// A place in flight.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _under_way: UnderWay,
}

/// Bytes of one answer.
#[derive(Debug)]
struct Unread {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, response::IntoResponse};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_caller_has_so_many_under_way_and_not_one_more() {
        let in_flight = InFlight::new(2);
        let (ada, bob) = (Key::User(Uuid::from_u128(1)), Key::User(Uuid::from_u128(2)));
        let first = in_flight.enter(ada).expect("enters");
        let _second = in_flight.enter(ada).expect("enters");
        let refused = in_flight.enter(ada).expect_err("refused");
        assert_eq!((refused.status().as_u16(), refused.code()), (429, "too_many_at_once"));
        let _other = in_flight.enter(bob).expect("another caller has calls of its own");
        drop(in_flight.place(first).expect("a place"));
        in_flight.enter(ada).expect("enters again");
        let unlimited = InFlight::new(0);
        let all: Vec<_> = (0..1000).map(|_| unlimited.enter(ada).expect("enters")).collect();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn beyond_64_mib_that_nobody_reads_a_read_is_shed_and_a_write_is_told() {
        let in_flight = InFlight::new(0);
        let answer = |bytes: usize, made_again: bool| {
            let place = in_flight.place(in_flight.enter(Key::User(Uuid::nil())).expect("enters")).expect("a place");
            let response = Body::from(vec![0; bytes]).into_response();
            in_flight.answered(place, None, response, made_again).map_err(|problem| problem.status().as_u16())
        };
        let most = answer(MAX_UNREAD - 1, true).expect("fits");
        let _last = answer(1, true).expect("fits");
        assert_eq!(answer(1, true).expect_err("shed"), 503);
        let _write = answer(1, false).expect("told");
        drop(most);
        assert!(answer(MAX_UNREAD / 2, true).is_ok());
    }
}

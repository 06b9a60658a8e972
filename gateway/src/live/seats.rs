//! How many live streams there may be: of one caller, and of all.

use std::sync::Arc;

use proto::errors;
use runtime::counts::{Counted, Counts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::error::Problem;

/// Streams of all callers at most: three quarters of the connections that a gateway takes, so that some are left for calls.
const MAX_STREAMS: usize = 3072;

/// All of them.
#[derive(Debug)]
pub(super) struct Seats {
    all: Arc<Semaphore>,
    /// Of one caller at most; 0 is no limit.
    per_caller: usize,
    callers: Counts<Uuid>,
}

/// One stream's, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted<Uuid>>,
}

impl Seats {
    pub(super) fn new(per_caller: u32) -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_STREAMS)), per_caller: per_caller as usize, callers: Counts::default() }
    }

    /// One for a stream of `caller`'s: 429 where they have too many, 503 where all have.
    pub(super) fn take(&self, caller: Uuid) -> Result<Seat, Problem> {
        let counted = match self.per_caller {
            0 => None,
            max => Some(self.callers.enter(caller, max).ok_or_else(|| too_many(max))?),
        };
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Problem::overloaded())?;
        Ok(Seat { _permit: permit, _counted: counted })
    }
}

fn too_many(max: usize) -> Problem {
    let detail = format!("you have {max} live streams open: close one of them");
    Problem::new(errors::TOO_MANY_LIVE, detail).with_retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    fn refusal(seats: &Seats, caller: Uuid) -> (u16, String) {
        let problem = seats.take(caller).expect_err("refused");
        (problem.status().as_u16(), problem.code().to_owned())
    }

    #[test]
    fn a_caller_has_so_many_and_not_one_more() {
        let seats = Seats::new(2);
        let two = [(); 2].map(|()| seats.take(ADA).expect("a seat"));
        assert_eq!(refusal(&seats, ADA), (429, "too_many_live".to_owned()));
        let _bobs = seats.take(BOB).expect("another caller has seats of their own");
        drop(two);
        assert!(seats.take(ADA).is_ok());
    }

    #[test]
    fn all_together_have_so_many_and_not_one_more() {
        let seats = Seats::new(0);
        let mut taken: Vec<_> = (0..MAX_STREAMS).map(|_| seats.take(ADA).expect("a seat")).collect();
        assert_eq!(refusal(&seats, BOB), (503, "overloaded".to_owned()));
        taken.pop();
        assert!(seats.take(BOB).is_ok());
    }
}

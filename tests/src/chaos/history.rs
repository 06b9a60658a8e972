//! What clients did and were told: the checker holds the system to it.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::weather::Weather;

/// A fault that was over for longer is not told with a violation.
const MEANWHILE: Duration = Duration::from_secs(5);

/// How an attempt to write ended, as far as its client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Acknowledged; the id of what was made.
    Done(String),
    /// Refused for good, with this code.
    Refused(String),
    /// 503, 504 or a broken connection: it may have happened or not.
    Unknown,
}

/// Something that was offered for sale, under a name that nothing else has.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) name: String,
    pub(super) seller: String,
    /// Minor units.
    pub(super) price: i64,
    pub(super) currency: String,
    pub(super) outcome: Outcome,
    /// Id of the request.
    pub(super) request: String,
}

/// One request to buy an item; a retry is another one.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) item: String,
    pub(super) buyer: String,
    pub(super) key: Option<String>,
    /// Done with the id of the transaction.
    pub(super) outcome: Outcome,
    pub(super) request: String,
}

/// A deposit, whose key is tried until its outcome is known.
#[derive(Clone, Debug)]
pub(super) struct Deposit {
    pub(super) owner: String,
    pub(super) currency: &'static str,
    /// Minor units.
    pub(super) amount: i64,
    pub(super) key: String,
    /// Done with the number of its entry.
    pub(super) outcome: Outcome,
}

/// A channel, by its name, or a post, by its content; nothing else has that text.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// None is a channel.
    pub(super) channel: Option<String>,
    pub(super) text: String,
    pub(super) outcome: Outcome,
    pub(super) request: String,
}

/// What whoever reads must see from some time on.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) what: Written,
    /// The gateway it was written through.
    pub(super) door: usize,
    /// When its request was sent.
    pub(super) begun: Instant,
    pub(super) request: String,
}

#[derive(Clone, Debug)]
pub(super) enum Written {
    Listed { item: String, seller: String },
    Sold { item: String, transaction: String },
    Posted { channel: String, post: String },
}

/// Everything that happened, and everything that must not have.
#[derive(Default)]
pub(super) struct History {
    pub(super) listings: Mutex<Vec<Listing>>,
    pub(super) attempts: Mutex<Vec<Attempt>>,
    pub(super) deposits: Mutex<Vec<Deposit>>,
    pub(super) said: Mutex<Vec<Said>>,
    pub(super) facts: Mutex<Vec<Fact>>,
    violations: Mutex<Vec<String>>,
}

impl History {
    /// Something is as it must not be.
    pub(super) fn violation(&self, weather: &Weather, what: impl Into<String>) {
        let (at, meanwhile) = (weather.elapsed().as_secs_f64(), weather.report(MEANWHILE).join(", "));
        self.violations.lock().unwrap().push(format!("at {at:.3} s: {}\n    meanwhile: {meanwhile}", what.into()));
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }
}

//! What a service has to tell, kept with what it tells of until it is told.
//!
//! The transactional outbox (<https://microservices.io/patterns/data/transactional-outbox.html>): a [`Message`] is stored
//! in the transaction of the act that it tells of (`append` of each store), so there are both or neither. One replica, the
//! one that has the lease, stamps messages with the numbers 1, 2, 3 of their source, publishes them in that order, and
//! notes how far it has come. It knows nothing of what a message says.
//!
//! There is no order of commits that a store could be asked for, so none is promised: a message has a number as soon as
//! it is seen, whenever it was begun. What is promised is that those of a subject are numbered by its versions. Whoever
//! raised a version has seen the one before, so who sees the message of a version sees those of all before.
//!
//! What was sent stays for [`Options::outbox_keep`], since a log may lose what it has confirmed: it is sent again from the
//! numbers, under which readers know it.

#[cfg(test)]
pub(crate) mod contract;

use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use kernel::time::seconds;
use uuid::Uuid;

use crate::lease::{Fenced, TASKS, Token};

/// Under which messages are numbered.
pub(crate) const LEASE: &str = TASKS;
/// How long messages stay after they were sent, where it is not said.
const HOUR: Duration = Duration::from_secs(3600);

/// For how long what was sent can be sent again; the same on all replicas of a service.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// How long events stay in the outbox after they were sent, seconds (120 to 604800); an hour by default. The log may
    /// lose what it has confirmed in the last minute: that is sent again from here.
    #[arg(long, env = "OUTBOX_KEEP", default_value = "3600", value_parser = seconds::<120, 604_800>)]
    pub outbox_keep: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { outbox_keep: HOUR }
    }
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Later ones are greater, as far as clocks agree (UUIDv7).
    pub id: Uuid,
    /// The thing it is about.
    pub subject: String,
    /// Of the thing, after the act: higher than before.
    pub version: i64,
    /// What it is, for whoever looks into the store.
    pub kind: String,
    /// All of it, as text, but for its number.
    pub body: String,
}

/// A message with its place among all of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// 1, 2, 3, without a gap.
    pub sequence: i64,
    pub message: Message,
}

/// What is still to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    pub count: u64,
    /// How long the oldest of them waits; zero where there is none.
    pub oldest: Duration,
}

/// Why the outbox was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error(transparent)]
    Store(#[from] crate::Error),
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<crate::sqlite::Error> for Error {
    fn from(error: crate::sqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What of an outbox the replica uses that empties it. Methods that take a [`Token`] do nothing where the lease is not its
/// any more, and are [`Error::Fenced`].
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Gives the next numbers to `most` messages that have none, oldest first, and before any of them to those of the same
    /// subject with a lower version. How many it were. It writes only where there are any.
    async fn stamp(&self, token: Token, most: usize) -> Result<usize, Error>;

    /// The next `most` messages that are numbered and not noted as sent, by their numbers.
    async fn unsent(&self, most: usize) -> Result<Vec<Stamped>, crate::Error>;

    /// Notes that all up to this number are sent.
    async fn sent(&self, token: Token, up_to: i64) -> Result<(), Error>;

    /// Notes that what was sent within this time, by the store's clock, is to be sent again, with all that came after.
    async fn resend(&self, token: Token, within: Duration) -> Result<(), Error>;

    /// Forgets what was sent longer ago than `keep`, [`crate::sweep::BATCH`] of it at most. Tells how many.
    async fn forget(&self, keep: Duration) -> Result<usize, crate::Error>;

    /// What is still to be sent.
    async fn pending(&self) -> Result<Pending, crate::Error>;

    /// Something was appended, and is committed: wakes who is in [`Self::sleep`].
    fn wake(&self);

    /// Waits until something was appended, here or by another process as far as the store can tell; at most for
    /// `patience`. Where something came since the last time that is there to be stamped, it does not wait.
    async fn sleep(&self, patience: Duration);
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn what_was_sent_is_kept_for_two_minutes_to_a_week() {
        let parse = |keep: &str| {
            let flags = Flags::try_parse_from(["test", &format!("--outbox-keep={keep}")]);
            flags.map(|flags| flags.options.outbox_keep).map_err(|error| error.to_string())
        };
        for seconds in [120, 604_800] {
            assert_eq!(parse(&seconds.to_string()), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["119", "604801", "1h", ""] {
            let error = parse(wrong).expect_err("invalid");
            assert!(error.contains("outbox-keep") && error.contains("120 to 604800"), "{error}");
        }
        let default = Flags::try_parse_from(["test"]).expect("valid").options;
        assert_eq!(default.outbox_keep, Options::default().outbox_keep);
    }
}

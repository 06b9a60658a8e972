//! What happened, told once and never lost: what an event is, the log that keeps it, and how it is followed.
//!
//! | to find | look in |
//! |---|---|
//! | what an event is | [`event`] |
//! | who may see it | [`audience`] |
//! | every type of event | [`catalogue`] |
//! | what a log does for who publishes and who reads | [`log`] |
//! | which groups of workers there are | [`topology`] |
//! | the log on SQLite, and on a broker | [`embedded`], `rabbitmq` |
//! | how a view follows the log, each event once | [`follow`] |
//! | how a worker does its events, and when it gives up | [`consumer`] |
//! | what is counted | [`counts`] |
//! | which log a process is told to use | [`options`] |
//!
//! For people: `docs/events.md`.

pub mod audience;
pub mod catalogue;
pub mod consumer;
pub mod counts;
pub mod embedded;
pub mod event;
pub mod follow;
pub mod log;
pub mod options;
mod patience;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
pub mod topology;
mod trace;

pub use audience::Audience;
pub use catalogue::{Data, Kind, Source};
pub use consumer::{Consumer, Failure};
pub use counts::Counts;
pub use event::Event;
pub use follow::Follower;
pub use log::{Backlog, DeadLetter, Delivery, Entry, Error, Log, Position, Replay, SharedLog, Start, Work};
pub use topology::{Group, Topology};

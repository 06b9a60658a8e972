//! What the log is made of on the broker.
//!
//! | name | what |
//! |---|---|
//! | `capsim.events` | topic exchange that all is published to, by the type of the event |
//! | `capsim.events.log` | stream of everything |
//! | `capsim.work.{group}` | quorum queue of a group's types |
//! | `capsim.dead`, `capsim.dead.{group}` | exchange and queue of what a group gave up on |
//!
//! An event that no queue takes is not refused, since the stream takes it: so each connection makes sure of all of them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lapin::{
    ErrorKind, ExchangeKind, Queue,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::connection::Link;
use crate::{log::Error, topology::Topology};

/// A delivery that came back so often is given up by the broker: the last resort against an event that takes its worker
/// with it. Workers that come and go with their store down count too.
const DELIVERY_LIMIT: i32 = 50;

/// The names of it all, by the name of the topology.
#[derive(Clone, Copy)]
pub(super) struct Names<'a>(pub(super) &'a str);

impl Names<'_> {
    pub(super) fn exchange(self) -> ShortString {
        format!("{}.events", self.0).into()
    }

    pub(super) fn stream(self) -> ShortString {
        format!("{}.events.log", self.0).into()
    }

    pub(super) fn work(self, group: &str) -> ShortString {
        format!("{}.work.{group}", self.0).into()
    }

    pub(super) fn dead_exchange(self) -> ShortString {
        format!("{}.dead", self.0).into()
    }

    pub(super) fn dead(self, group: &str) -> ShortString {
        format!("{}.dead.{group}", self.0).into()
    }
}

/// Looks for each queue, and makes what is missing. `was_whole` says that nothing should be.
pub(super) async fn make_whole(link: &Link, topology: &Topology, was_whole: &AtomicBool) -> Result<(), Error> {
    let names = Names(&topology.name);
    let channel = link.channel().await?;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    for (name, kind) in [(names.exchange(), ExchangeKind::Topic), (names.dead_exchange(), ExchangeKind::Direct)] {
        channel.exchange_declare(name, kind, durable, FieldTable::default()).await?;
    }
    for (name, arguments) in queues(topology) {
        if is_there(link, name.clone()).await? {
            continue;
        }
        if was_whole.load(Relaxed) {
            tracing::error!(queue = %name, "a queue was gone, and with it what was in it: it is made anew");
        }
        channel.queue_declare(name, QueueDeclareOptions::durable(), arguments).await?;
    }
    let bind = async |queue, exchange, key: &str| {
        channel.queue_bind(queue, exchange, key.into(), QueueBindOptions::default(), FieldTable::default()).await
    };
    bind(names.stream(), names.exchange(), "#").await?;
    for group in &topology.groups {
        for kind in group.kinds {
            bind(names.work(group.name), names.exchange(), kind.name()).await?;
        }
        bind(names.dead(group.name), names.dead_exchange(), group.name).await?;
    }
    was_whole.store(true, Relaxed);
    Ok(())
}

/// Whether each queue is there.
pub(super) async fn check(link: &Link, topology: &Topology) -> Result<(), Error> {
    for (name, _) in queues(topology) {
        look_for(link, name).await?;
    }
    Ok(())
}

/// The queue, which must be there. On a channel of its own: the broker closes it where it is not.
pub(super) async fn look_for(link: &Link, queue: ShortString) -> Result<Queue, Error> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let channel = link.channel().await?;
    let found = channel.queue_declare(queue, passive, FieldTable::default()).await?;
    channel.close(200, "found".into()).await?;
    Ok(found)
}

async fn is_there(link: &Link, queue: ShortString) -> Result<bool, Error> {
    match look_for(link, queue).await {
        Err(Error::Unavailable(cause)) if cause.downcast_ref().is_some_and(is_missing) => Ok(false),
        found => found.map(|_| true),
    }
}

/// A queue whose server is not ready yet is said to be not found, too, but not to be none.
fn is_missing(error: &lapin::Error) -> bool {
    let not_found = AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND);
    matches!(error.kind(), ErrorKind::ProtocolError(error)
        if *error.kind() == not_found && error.get_message().as_str().contains("no queue"))
}

/// All queues with what they are made of.
fn queues(topology: &Topology) -> Vec<(ShortString, FieldTable)> {
    let names = Names(&topology.name);
    let mut queues = vec![(names.stream(), table([("x-queue-type", text("stream"))]))];
    for group in &topology.groups {
        let work = table([
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", text(names.dead_exchange().as_str())),
            ("x-dead-letter-routing-key", text(group.name)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ]);
        // Not a quorum queue, whose delivery limit (20 from RabbitMQ 4 on) would drop what was looked at too often.
        let dead = table([("x-queue-type", text("classic"))]);
        queues.extend([(names.work(group.name), work), (names.dead(group.name), dead)]);
    }
    queues
}

pub(super) fn table<const N: usize>(fields: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in fields {
        table.insert(name.into(), value);
    }
    table
}

pub(super) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

//! Readers of the stream.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, StreamExt};
use kernel::time;
use lapin::{
    Acker, Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::AMQPValue,
};

use super::{
    connection::{Broker, Link, bounded},
    declare::{Names, table, text},
};
use crate::{
    event::Event,
    log::{Entry, Error, LOOK_BACK, Position, Replay, Start},
    patience::Patience,
};

/// Entries that the broker sends ahead.
const PREFETCH: u16 = 512;
/// Where in the stream a message stands, and where a reader wants to begin.
const OFFSET: &str = "x-stream-offset";

pub(super) struct Reader {
    broker: Arc<Broker>,
    /// Where to begin after an interruption.
    start: Start,
    subscription: Option<Subscription>,
    patience: Patience,
}

struct Subscription {
    consumer: Consumer,
    /// The last of what was handed out: the broker sends more when it is acknowledged.
    last: Option<Acker>,
    /// What the consumer is on.
    _line: (Link, Channel),
}

impl Reader {
    pub(super) async fn open(broker: Arc<Broker>, start: Start) -> Result<Self, Error> {
        let opened_at = time::now();
        let subscription = bounded(Subscription::open(&broker, start)).await?;
        // What comes while the broker is away is from now on, too.
        let start = if start == Start::Next { look_back(opened_at) } else { start };
        Ok(Self { broker, start, subscription: Some(subscription), patience: Patience::default() })
    }

    async fn read(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        let subscription = match &mut self.subscription {
            Some(subscription) => subscription,
            lost => lost.insert(bounded(Subscription::open(&self.broker, self.start)).await?),
        };
        let entries = subscription.next(most).await?;
        if let Some(last) = entries.last() {
            self.start = look_back(last.published_at);
        }
        Ok(entries)
    }
}

fn look_back(time: DateTime<Utc>) -> Start {
    Start::Since(time - LOOK_BACK)
}

#[async_trait]
impl Replay for Reader {
    async fn next(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        loop {
            self.patience.pause().await;
            match self.read(most).await {
                Ok(entries) => {
                    self.patience.regain();
                    if !entries.is_empty() {
                        return Ok(entries);
                    }
                }
                Err(error) => {
                    self.subscription = None;
                    if self.patience.lose() {
                        return Err(error);
                    }
                }
            }
        }
    }
}

impl Subscription {
    async fn open(broker: &Broker, start: Start) -> Result<Self, Error> {
        let link = broker.connect("reads").await?;
        let channel = link.channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let offset = match start {
            Start::First => text("first"),
            Start::After(Position(position)) => {
                AMQPValue::LongLongInt(i64::try_from(position.saturating_add(1)).map_err(Error::failed)?)
            }
            Start::Since(time) => AMQPValue::Timestamp(time.timestamp().max(0).unsigned_abs()),
            Start::Next => text("next"),
        };
        let stream = Names(&broker.topology.name).stream();
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(stream, "".into(), options, table([(OFFSET, offset)])).await?;
        Ok(Self { consumer, last: None, _line: (link, channel) })
    }

    /// The next entries; those that can be read of them.
    async fn next(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        if let Some(last) = &self.last {
            last.ack(BasicAckOptions { multiple: true }).await?;
            self.last = None;
        }
        // From here on nothing is awaited any more: whoever stops waiting has lost nothing.
        let mut next = self.consumer.next().await;
        let mut entries = Vec::new();
        loop {
            let delivery = next.ok_or_else(|| Error::unavailable("the broker closed the stream"))??;
            entries.extend(entry(&delivery));
            self.last = Some(delivery.acker);
            if entries.len() >= most {
                return Ok(entries);
            }
            match self.consumer.next().now_or_never() {
                Some(found @ Some(Ok(_))) => next = found,
                // An end is found again when there is nothing before it.
                _ => return Ok(entries),
            }
        }
    }
}

/// What cannot be read is no reason not to read the rest: whoever counts sees that one is missing.
fn entry(delivery: &Delivery) -> Option<Entry> {
    let headers = delivery.properties.headers().as_ref();
    let position = headers.and_then(|headers| headers.inner().get(OFFSET)?.as_long_long_int()).unwrap_or_default();
    let event = Event::from_json(&delivery.data);
    let event = event.inspect_err(|error| tracing::error!(position, %error, "the log has what is no event")).ok()?;
    let seconds = delivery.properties.timestamp().unwrap_or_default();
    let published_at = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Some(Entry { position: Position(position.unsigned_abs()), published_at: published_at.unwrap_or(event.time), event })
}

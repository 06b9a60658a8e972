//! Publishing: one batch after the other on one channel, each event confirmed by the stream and by every queue that takes
//! it.

use std::sync::Arc;

use futures_util::future::try_join_all;
use kernel::time;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::sync::Mutex;

use super::{
    connection::{Broker, Link, bounded},
    declare::{self, Names},
};
use crate::{
    event::{CONTENT_TYPE, Event},
    log::{self, Error},
};

/// A message that survives the broker's restart.
const PERSISTENT: u8 = 2;

pub(super) struct Publisher {
    broker: Arc<Broker>,
    exchange: ShortString,
    line: Mutex<Option<Line>>,
}

struct Line {
    link: Link,
    channel: Channel,
}

impl Publisher {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        let exchange = Names(&broker.topology.name).exchange();
        Self { broker, exchange, line: Mutex::default() }
    }

    pub(super) async fn publish(&self, events: &[Event]) -> Result<(), Error> {
        self.on_line(async |line| {
            let mut confirmations = Vec::with_capacity(events.len());
            for event in events {
                let body = log::encode(event)?;
                let (exchange, key) = (self.exchange.clone(), event.kind.as_str().into());
                confirmations.push(send(&line.channel, exchange, key, body.as_bytes(), properties(event)).await?);
            }
            try_join_all(confirmations.into_iter().map(confirmed)).await.map(drop)
        })
        .await
    }

    /// Whether all queues are there, and the broker takes what is published. Where a queue is not, the next call makes it.
    pub(super) async fn check(&self) -> Result<(), Error> {
        self.on_line(async |line| declare::check(&line.link, &self.broker.topology).await).await
    }

    /// Does something on the line, one at a time, in time. One that failed is given up, for the next call to make anew.
    async fn on_line(&self, act: impl AsyncFnOnce(&Line) -> Result<(), Error>) -> Result<(), Error> {
        let mut place = None;
        let done = bounded(async {
            let place = place.insert(self.line.lock().await);
            let line = match &mut **place {
                Some(line) => line,
                place => place.insert(self.connect().await?),
            };
            if line.link.is_blocked() {
                return Err(Error::unavailable("the broker takes nothing: it has no memory or no disk left"));
            }
            act(line).await
        })
        .await;
        // A broker that takes nothing tells when it does again, on this very line.
        if let (Err(_), Some(mut place)) = (&done, place)
            && !place.as_ref().is_some_and(|line| line.link.is_blocked())
        {
            *place = None;
        }
        done
    }

    async fn connect(&self) -> Result<Line, Error> {
        let link = self.broker.connect("publishes").await?;
        let channel = confirming(&link).await?;
        Ok(Line { link, channel })
    }
}

/// A channel on which the broker confirms what is published.
pub(super) async fn confirming(link: &Link) -> Result<Channel, Error> {
    let channel = link.channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

/// Sends a message; the outcome is to be [`confirmed`].
pub(super) async fn send(
    channel: &Channel,
    exchange: ShortString,
    key: ShortString,
    body: &[u8],
    properties: BasicProperties,
) -> Result<lapin::PublisherConfirm, Error> {
    // One that goes nowhere comes back.
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    Ok(channel.basic_publish(exchange, key, options, body, properties).await?)
}

/// Waits until the broker has it, durably.
pub(super) async fn confirmed(confirm: lapin::PublisherConfirm) -> Result<(), Error> {
    match confirm.await? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(Error::unavailable("no queue takes it")),
        _ => Err(Error::unavailable("the broker refused it: a queue is full")),
    }
}

pub(super) fn properties(event: &Event) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type(CONTENT_TYPE.into())
        .with_message_id(event.id.to_string().into())
        .with_type(event.kind.as_str().into())
        .with_timestamp(time::now().timestamp().unsigned_abs())
}

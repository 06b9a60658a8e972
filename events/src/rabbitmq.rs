//! The log on RabbitMQ, 3.10 or newer: a stream that keeps everything, and a quorum queue for each group of workers.
//!
//! Models are RabbitMQ's own guides: <https://www.rabbitmq.com/docs/streams>, `quorum-queues`, `confirms`,
//! `connection-blocked`. The client's own recovery is not used: a reader that lost the broker must not go on where it was
//! ([`crate::log::LOOK_BACK`]), and each queue is to be looked for before it is relied on again.
//!
//! | to find | look in |
//! |---|---|
//! | how a connection is made and given up | [`connection`] |
//! | the exchange, the stream and the queues | [`declare`] |
//! | publishing with confirms | [`publisher`] |
//! | readers of the stream | [`replay`] |
//! | workers on a queue | [`work`] |
//! | dead letters | [`dead`] |

mod connection;
mod dead;
mod declare;
mod publisher;
mod replay;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use self::{connection::Broker, declare::Names, publisher::Publisher};
use crate::{
    event::Event,
    log::{Backlog, DeadLetter, Error, Log, Replay, Start, Work},
    topology::{Group, Topology},
};

/// The log on a broker. Clones are one log, with one connection to publish by.
#[derive(Clone)]
pub struct RabbitMq {
    broker: Arc<Broker>,
    publisher: Arc<Publisher>,
}

impl RabbitMq {
    /// The log at an URL such as `amqp://user:password@host:5672/vhost`, which `instance` is to be seen at by its name. No
    /// connection is made yet.
    pub fn new(url: &str, instance: &str, topology: Topology) -> Result<Self, InvalidUrl> {
        let broker = Arc::new(Broker::new(url, instance, topology)?);
        Ok(Self { publisher: Arc::new(Publisher::new(Arc::clone(&broker))), broker })
    }
}

/// The text is not the URL of a broker.
#[derive(Debug, thiserror::Error)]
#[error("AMQP_URL must be like amqp://user:password@host:5672, without TLS: {0}")]
pub struct InvalidUrl(String);

#[async_trait]
impl Log for RabbitMq {
    fn backend(&self) -> &'static str {
        "rabbitmq"
    }

    async fn publish(&self, events: &[Event]) -> Result<(), Error> {
        self.publisher.publish(events).await
    }

    async fn replay(&self, start: Start) -> Result<Box<dyn Replay>, Error> {
        Ok(Box::new(replay::Reader::open(Arc::clone(&self.broker), start).await?))
    }

    async fn work(&self, group: &Group, most: usize) -> Result<Box<dyn Work>, Error> {
        Ok(Box::new(work::Worker::join(Arc::clone(&self.broker), group.name, most).await?))
    }

    async fn dead(&self, group: &Group, most: usize) -> Result<Vec<DeadLetter>, Error> {
        connection::bounded(dead::list(&self.broker, group.name, most)).await
    }

    async fn retry(&self, group: &Group, event: Option<Uuid>) -> Result<usize, Error> {
        dead::retry(&self.broker, group.name, event).await
    }

    async fn backlog(&self, group: &Group) -> Result<Backlog, Error> {
        let names = Names(&self.broker.topology.name);
        let (work, dead) = (names.work(group.name), names.dead(group.name));
        connection::bounded(async {
            let link = self.broker.connect("backlog").await?;
            let count = async |queue| Ok::<_, Error>(u64::from(declare::look_for(&link, queue).await?.message_count()));
            Ok(Backlog { waiting: count(work).await?, dead: count(dead).await? })
        })
        .await
    }

    async fn check(&self) -> Result<(), Error> {
        self.publisher.check().await
    }
}

//! Workers on a group's queue.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::{
    Acker, Channel, Consumer, message,
    options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions},
    types::FieldTable,
};

use super::{
    connection::{Broker, Link, bounded},
    dead,
    declare::Names,
    publisher,
};
use crate::{
    event::Event,
    log::{Delivery, Error, Receipt, Work},
    patience::Patience,
};

pub(super) struct Worker {
    broker: Arc<Broker>,
    group: &'static str,
    most: u16,
    subscription: Option<(Consumer, Arc<Line>)>,
    patience: Patience,
}

/// What a worker's deliveries came by, and dead letters go by: there as long as one of them is.
struct Line {
    broker: Arc<Broker>,
    group: &'static str,
    dead: Channel,
    _consumes: Channel,
    _link: Link,
}

impl Worker {
    pub(super) async fn join(broker: Arc<Broker>, group: &'static str, most: usize) -> Result<Self, Error> {
        let most = u16::try_from(most.max(1)).unwrap_or(u16::MAX);
        let subscription = Some(subscribe(&broker, group, most).await?);
        Ok(Self { broker, group, most, subscription, patience: Patience::default() })
    }

    async fn take(&mut self) -> Result<Option<Delivery>, Error> {
        let (consumer, line) = match &mut self.subscription {
            Some(subscription) => subscription,
            lost => lost.insert(subscribe(&self.broker, self.group, self.most).await?),
        };
        let delivery = consumer.next().await.ok_or_else(|| Error::unavailable("the broker closed the queue"))??;
        Ok(receive(delivery, line).await)
    }
}

async fn subscribe(broker: &Arc<Broker>, group: &'static str, most: u16) -> Result<(Consumer, Arc<Line>), Error> {
    bounded(async {
        let link = broker.connect(group).await?;
        let (consumes, dead) = (link.channel().await?, publisher::confirming(&link).await?);
        consumes.basic_qos(most, BasicQosOptions::default()).await?;
        let (queue, options) = (Names(&broker.topology.name).work(group), BasicConsumeOptions::default());
        let consumer = consumes.basic_consume(queue, "".into(), options, FieldTable::default()).await?;
        Ok((consumer, Arc::new(Line { broker: Arc::clone(broker), group, dead, _consumes: consumes, _link: link })))
    })
    .await
}

/// What cannot be read goes to the dead letters as it is.
async fn receive(delivery: message::Delivery, line: &Arc<Line>) -> Option<Delivery> {
    match Event::from_json(&delivery.data) {
        Ok(event) => {
            let receipt = Ticket { line: Arc::clone(line), acker: Some(delivery.acker) };
            Some(Delivery::new(event, delivery.redelivered, Box::new(receipt)))
        }
        Err(error) => {
            tracing::error!(group = line.group, %error, "a worker was given what is no event");
            // Where it fails it comes again.
            let _ = delivery.acker.reject(BasicRejectOptions { requeue: false }).await;
            None
        }
    }
}

#[async_trait]
impl Work for Worker {
    async fn next(&mut self) -> Result<Delivery, Error> {
        loop {
            self.patience.pause().await;
            match self.take().await {
                Ok(delivery) => {
                    self.patience.regain();
                    if let Some(delivery) = delivery {
                        return Ok(delivery);
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

struct Ticket {
    line: Arc<Line>,
    /// Nothing once the broker was told.
    acker: Option<Acker>,
}

impl Ticket {
    async fn acknowledge(mut self) -> Result<(), Error> {
        let Some(acker) = self.acker.take() else { return Ok(()) };
        if acker.ack(BasicAckOptions::default()).await? {
            return Ok(());
        }
        Err(Error::unavailable("the broker that gave it is gone"))
    }
}

#[async_trait]
impl Receipt for Ticket {
    async fn acknowledge(self: Box<Self>) -> Result<(), Error> {
        bounded(Ticket::acknowledge(*self)).await
    }

    async fn give_up(self: Box<Self>, event: &Event, reason: &str) -> Result<(), Error> {
        bounded(async {
            let Line { broker, group, dead, .. } = &*self.line;
            dead::bury(dead, Names(&broker.topology.name), group, event, reason).await?;
            Ticket::acknowledge(*self).await
        })
        .await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Without a runtime the connection is at its end, and everything comes back by itself.
        if let (Some(acker), Ok(runtime)) = (self.acker.take(), tokio::runtime::Handle::try_current()) {
            let line = Arc::clone(&self.line);
            runtime.spawn(async move {
                let _ = acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await;
                drop(line);
            });
        }
    }
}

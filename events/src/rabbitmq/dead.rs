//! What groups gave up on: buried with the reason, listed, and given again.

use chrono::{DateTime, Utc};
use kernel::time;
use lapin::{
    BasicProperties, Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions},
};
use uuid::Uuid;

use super::{
    connection::{Broker, DEADLINE, bounded},
    declare::{Names, table, text},
    publisher::{confirmed, confirming, properties, send},
};
use crate::{
    event::Event,
    log::{self, DeadLetter, Error},
};

/// Why a worker gave it up.
const REASON: &str = "reason";
/// Why the broker did: `delivery_limit` or `rejected`.
const BROKERS_REASON: &str = "x-first-death-reason";

/// Puts an event among a group's dead letters.
pub(super) async fn bury(
    channel: &Channel,
    names: Names<'_>,
    group: &str,
    event: &Event,
    reason: &str,
) -> Result<(), Error> {
    let body = log::encode(event)?;
    let properties = properties(event).with_headers(table([(REASON, text(reason))]));
    confirmed(send(channel, names.dead_exchange(), group.into(), body.as_bytes(), properties).await?).await
}

/// The oldest dead letters. They stay: what is got and not acknowledged goes back with its channel.
pub(super) async fn list(broker: &Broker, group: &str, most: usize) -> Result<Vec<DeadLetter>, Error> {
    let link = broker.connect("lists dead letters").await?;
    let channel = link.channel().await?;
    let queue = Names(&broker.topology.name).dead(group);
    let mut letters = Vec::new();
    while letters.len() < most
        && let Some(got) = channel.basic_get(queue.clone(), BasicGetOptions::default()).await?
    {
        letters.extend(letter(&got.delivery));
    }
    channel.close(200, "listed".into()).await?;
    Ok(letters)
}

/// Gives a group's workers again what it gave up on. Each is in the one queue before it is out of the other.
pub(super) async fn retry(broker: &Broker, group: &str, event: Option<Uuid>) -> Result<usize, Error> {
    let link = broker.connect("retries dead letters").await?;
    let channel = bounded(confirming(&link)).await?;
    let names = Names(&broker.topology.name);
    let mut given = 0;
    loop {
        // Bounded one by one: there may be any number of them.
        let next = channel.basic_get(names.dead(group), BasicGetOptions::default());
        let Some(got) = tokio::time::timeout(DEADLINE, next).await.map_err(Error::unavailable)?? else { break };
        let Delivery { properties, data, acker, .. } = got.delivery;
        let id = properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok());
        if event.is_some() && event != id {
            continue;
        }
        bounded(async {
            let again = without_reason(properties);
            confirmed(send(&channel, "".into(), names.work(group), &data, again).await?).await?;
            acker.ack(BasicAckOptions::default()).await?;
            Ok(())
        })
        .await?;
        given += 1;
    }
    // What was not asked for goes back, and all that was done is done when this is answered.
    bounded(async { Ok(channel.close(200, "given".into()).await?) }).await?;
    Ok(given)
}

/// Headers tell what became of it the last time.
fn without_reason(properties: BasicProperties) -> BasicProperties {
    properties.with_headers(table([]))
}

fn letter(delivery: &Delivery) -> Option<DeadLetter> {
    let event = Event::from_json(&delivery.data);
    let event =
        event.inspect_err(|error| tracing::error!(%error, "among the dead letters is what is no event")).ok()?;
    let headers = delivery.properties.headers().as_ref();
    let header = |name| headers.and_then(|headers| Some(headers.inner().get(name)?.as_long_string()?.to_string()));
    let reason = header(REASON).or_else(|| header(BROKERS_REASON)).unwrap_or_default();
    Some(DeadLetter { event, reason, at: at(&delivery.properties) })
}

fn at(properties: &BasicProperties) -> DateTime<Utc> {
    let seconds = properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).unwrap_or_else(time::now)
}

//! What every log must do, as one suite, on the embedded one and on a broker; and what only a broker can do to one.

mod broker;
mod contract;
mod counted;
mod embedded;
mod outages;
mod rabbitmq;

use std::time::Duration;

use events::{Audience, Entry, Event, Group, Kind, Log, Replay, Topology};
use proto::events::{OrderCreated, PostCreated};
use uuid::Uuid;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Workers on orders.
const ORDERS: Group = Group { name: "orders", kinds: &[Kind::OrderCreated] };
/// Workers on all that is posted, and on orders.
const CLERKS: Group = Group { name: "clerks", kinds: &[Kind::PostCreated, Kind::OrderCreated] };

/// A topology of a test's own.
fn topology() -> Topology {
    Topology { name: format!("test-{}", Uuid::now_v7().simple()), groups: vec![ORDERS, CLERKS] }
}

/// A post's event, with a number of its source.
fn post(subject: &str, version: u64, sequence: u64) -> Event {
    let data = PostCreated { excerpt: format!("version {version} of {subject}"), ..PostCreated::default() };
    Event::new(subject, version, Audience::All, None, &data).expect("for all").stamped(sequence)
}

/// Posts with these numbers.
fn posts(sequences: impl IntoIterator<Item = u64>) -> Vec<Event> {
    sequences.into_iter().map(|sequence| post(&sequence.to_string(), 1, sequence)).collect()
}

/// An order's event, with a number of its source.
fn order(sequence: u64) -> Event {
    let data = OrderCreated { order_id: sequence.to_string(), ..OrderCreated::default() };
    Event::new(sequence, 1, Audience::System, None, &data).expect("for the system").stamped(sequence)
}

fn orders(sequences: impl IntoIterator<Item = u64>) -> Vec<Event> {
    sequences.into_iter().map(order).collect()
}

/// The numbers of events.
fn numbers<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<u64> {
    events.into_iter().map(|event| event.sequence.expect("a number")).collect()
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

/// Reads so many entries, whatever interrupts that.
async fn read(replay: &mut dyn Replay, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let all = async {
        while entries.len() < count {
            if let Ok(more) = replay.next(count - entries.len()).await {
                entries.extend(more);
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.ok();
    assert_eq!(entries.len(), count, "read so many only: {:?}", numbers(entries.iter().map(|entry| &entry.event)));
    entries
}

/// The numbers of the next entries.
async fn read_numbers(replay: &mut dyn Replay, count: usize) -> Vec<u64> {
    numbers(read(replay, count).await.iter().map(|entry| &entry.event))
}

/// Publishes until the log takes it.
async fn insist(log: &dyn Log, events: &[Event]) {
    let insist = async {
        while log.publish(events).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the log takes events", insist).await;
}

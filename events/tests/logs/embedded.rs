//! The suite on the embedded log, and what is its own.

use std::{sync::Arc, time::Duration};

use events::{
    Audience, Event, Start,
    embedded::{Embedded, Lease},
};
use storage::DataDir;

use crate::{
    ORDERS,
    contract::{Fresh, log_contract},
    counted::Counted,
    in_time, order, orders, read_numbers, topology,
};

/// Short, for tests of what comes after it.
const LEASE: Lease = Lease { length: Duration::from_millis(1500), renewal: Duration::from_millis(300) };

async fn fresh() -> Fresh {
    let directory = tempfile::tempdir().expect("directory");
    let data_dir = DataDir::open(directory.path(), true).expect("shared");
    let open = || Embedded::open(&data_dir, topology(), LEASE).expect("opens");
    Fresh { log: Arc::new(open()), other: Arc::new(open()), counts: Counted::new(), _keep: Arc::new(directory) }
}

log_contract!(fresh);

#[tokio::test]
async fn what_was_published_is_there_after_reopening() {
    let Fresh { log, other, _keep, .. } = fresh().await;
    log.publish(&orders(1..=3)).await.expect("published");
    drop(log);
    assert_eq!(read_numbers(&mut *other.replay(Start::First).await.expect("a reader"), 3).await, [1, 2, 3]);
}

#[tokio::test]
async fn an_event_without_a_number_is_refused_with_all_that_come_with_it() {
    let Fresh { log, _keep, .. } = fresh().await;
    let data = proto::events::UserCreated::default();
    let unstamped = Event::new("2", 1, Audience::All, None, &data).expect("for all");
    let error = log.publish(&[order(1), unstamped]).await.expect_err("no number");
    assert!(matches!(error, events::Error::Failed(_)), "{error}");
    log.publish(&[order(3)]).await.expect("published");
    assert_eq!(read_numbers(&mut *log.replay(Start::First).await.expect("a reader"), 1).await, [3]);
}

#[tokio::test]
async fn what_takes_its_worker_with_it_every_time_is_given_up_at_last() {
    let Fresh { log, _keep, .. } = fresh().await;
    log.publish(&[order(1)]).await.expect("published");
    let mut work = log.work(&ORDERS, 1).await.expect("a place");
    for _ in 0..50 {
        drop(in_time("there is work", work.next()).await.expect("work"));
    }
    let letters = async {
        loop {
            let letters = log.dead(&ORDERS, 10).await.expect("dead letters");
            if !letters.is_empty() {
                return letters;
            }
            let more = tokio::time::timeout(Duration::from_millis(20), work.next()).await;
            assert!(more.is_err(), "it is given again: {more:?}");
        }
    };
    let letters = in_time("it is given up", letters).await;
    assert!(letters[0].reason.contains("50 times"), "{:?}", letters[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_holds_is_its_own_for_longer_than_a_lease() {
    let Fresh { log, other, _keep, .. } = fresh().await;
    log.publish(&[order(1)]).await.expect("published");
    let mut work = log.work(&ORDERS, 1).await.expect("a place");
    let delivery = in_time("there is work", work.next()).await.expect("work");
    let mut others = other.work(&ORDERS, 1).await.expect("a place");
    let taken = tokio::time::timeout(2 * LEASE.length, others.next()).await;
    assert!(taken.is_err(), "somebody else has it: {taken:?}");
    delivery.acknowledge().await.expect("acknowledged");
}

//! Groups of workers.

use std::{collections::BTreeSet, time::Duration};

use events::{Delivery, Log, Work};
use futures_util::{FutureExt, future::join_all};
use tokio::sync::Mutex;

use super::Fresh;
use crate::{CLERKS, ORDERS, in_time, order, orders, posts};

/// The next event's number, with its delivery; whatever interrupts that.
async fn take(work: &mut dyn Work) -> (u64, Delivery) {
    let next = async {
        loop {
            if let Ok(delivery) = work.next().await {
                return delivery;
            }
        }
    };
    let delivery = in_time("there is work", next).await;
    (delivery.event.sequence.expect("a number"), delivery)
}

/// Takes and acknowledges so many.
async fn finish(work: &mut dyn Work, count: usize) -> BTreeSet<u64> {
    let mut done = BTreeSet::new();
    while done.len() < count {
        let (number, delivery) = take(work).await;
        delivery.acknowledge().await.expect("acknowledged");
        done.insert(number);
    }
    done
}

async fn has_nothing(log: &dyn Log, group: &events::Group) {
    let empty = async {
        while log.backlog(group).await.expect("a backlog").waiting > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("nothing waits", empty).await;
}

pub(crate) async fn each_event_is_one_workers(Fresh { log, other, .. }: &Fresh) {
    let done = Mutex::new(Vec::new());
    let workers = join_all([log, other, log].map(async |log| {
        let mut work = log.work(&ORDERS, 5).await.expect("a place");
        let (mut own, all) = (0, async |number| {
            let mut done = done.lock().await;
            done.push(number);
            done.len() == 60
        });
        while done.lock().await.len() < 60 {
            let Ok(next) = tokio::time::timeout(Duration::from_millis(200), work.next()).await else { continue };
            let delivery = next.expect("work");
            let number = delivery.event.sequence.expect("a number");
            delivery.acknowledge().await.expect("acknowledged");
            own += 1;
            if all(number).await {
                break;
            }
        }
        own
    }));
    let publish = async {
        for batch in orders(1..=60).chunks(6) {
            log.publish(batch).await.expect("published");
            tokio::task::yield_now().await;
        }
    };
    let (own, ()) = in_time("all is done", async { tokio::join!(workers, publish) }).await;
    let mut done = done.into_inner();
    done.sort_unstable();
    assert_eq!(done, (1..=60).collect::<Vec<_>>(), "each once: {own:?}");
    has_nothing(&**log, &ORDERS).await;
}

pub(crate) async fn a_group_is_given_its_types_and_no_others(Fresh { log, .. }: &Fresh) {
    log.publish(&[posts([1]), orders([2]), posts([3]), orders([4])].concat()).await.expect("published");
    let mut work = log.work(&ORDERS, 10).await.expect("a place");
    assert_eq!(finish(&mut *work, 2).await, BTreeSet::from([2, 4]));
    let mut work = log.work(&CLERKS, 10).await.expect("a place");
    assert_eq!(finish(&mut *work, 4).await, BTreeSet::from([1, 2, 3, 4]));
}

pub(crate) async fn events_wait_for_the_first_worker_of_their_group(Fresh { log, other, .. }: &Fresh) {
    log.publish(&orders(1..=3)).await.expect("published");
    let backlog = other.backlog(&ORDERS).await.expect("a backlog");
    assert_eq!((backlog.waiting, backlog.dead), (3, 0));
    let mut work = other.work(&ORDERS, 1).await.expect("a place");
    assert_eq!(finish(&mut *work, 3).await, BTreeSet::from([1, 2, 3]));
}

pub(crate) async fn no_worker_is_given_more_than_it_wants(Fresh { log, .. }: &Fresh) {
    log.publish(&orders(1..=3)).await.expect("published");
    let mut work = log.work(&ORDERS, 2).await.expect("a place");
    let (_one, two) = (take(&mut *work).await, take(&mut *work).await);
    let third = tokio::time::timeout(Duration::from_millis(500), work.next()).await;
    assert!(third.is_err(), "{third:?}");
    // Somebody else may have it.
    let mut other = log.work(&ORDERS, 1).await.expect("a place");
    let (number, third) = take(&mut *other).await;
    assert_eq!(number, 3);
    drop((third, other));
    // Room for one.
    two.1.acknowledge().await.expect("acknowledged");
    assert_eq!(take(&mut *work).await.0, 3);
}

pub(crate) async fn what_a_worker_drops_another_one_is_given(Fresh { log, .. }: &Fresh) {
    log.publish(&[order(1)]).await.expect("published");
    let mut work = log.work(&ORDERS, 1).await.expect("a place");
    let (_, delivery) = take(&mut *work).await;
    assert!(!delivery.redelivered);
    drop(delivery);
    let (number, delivery) = take(&mut *work).await;
    assert_eq!((number, delivery.redelivered), (1, true));
    delivery.acknowledge().await.expect("acknowledged");
    has_nothing(&**log, &ORDERS).await;
}

/// It says nothing any more, and what it had is never dropped.
pub(crate) async fn what_a_dead_worker_had_another_one_is_given(Fresh { log, other, .. }: &Fresh) {
    log.publish(&orders(1..=2)).await.expect("published");
    let its = std::sync::Arc::clone(other);
    let dies = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("built");
        let had = runtime.block_on(async {
            let mut work = its.work(&ORDERS, 1).await.expect("a place");
            let (number, delivery) = take(&mut *work).await;
            std::mem::forget((work, delivery));
            number
        });
        runtime.shutdown_background();
        had
    });
    let had = tokio::task::spawn_blocking(|| dies.join().expect("no panic")).await.expect("joined");
    let mut work = log.work(&ORDERS, 1).await.expect("a place");
    let done = finish(&mut *work, 2).await;
    assert!(done.contains(&had) && done.len() == 2, "{done:?}");
}

pub(crate) async fn what_is_acknowledged_is_done_for_all(Fresh { log, other, .. }: &Fresh) {
    log.publish(&orders(1..=3)).await.expect("published");
    let mut work = log.work(&ORDERS, 3).await.expect("a place");
    finish(&mut *work, 3).await;
    drop(work);
    let mut work = other.work(&ORDERS, 3).await.expect("a place");
    assert!(tokio::time::timeout(Duration::from_millis(500), work.next()).await.is_err());
}

pub(crate) async fn events_are_worked_on_out_of_order(Fresh { log, .. }: &Fresh) {
    log.publish(&orders(1..=3)).await.expect("published");
    let mut work = log.work(&ORDERS, 3).await.expect("a place");
    let (first, second, third) = (take(&mut *work).await, take(&mut *work).await, take(&mut *work).await);
    assert_eq!((first.0, second.0, third.0), (1, 2, 3));
    third.1.acknowledge().await.expect("acknowledged");
    second.1.acknowledge().await.expect("acknowledged");
    assert!(work.next().now_or_never().is_none());
    drop(first);
    assert_eq!(finish(&mut *work, 1).await, BTreeSet::from([1]));
    has_nothing(&**log, &ORDERS).await;
}

//! Consumers: whose fault a failure is, and what becomes of the event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use events::{Consumer, Event, Failure, Log, SharedLog, consumer};
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Fresh;
use crate::{ORDERS, in_time, order, orders};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A consumer with a store that can be broken, and events that it cannot do.
#[derive(Default)]
struct Desk {
    is_down: AtomicBool,
    is_slow: AtomicBool,
    tries: AtomicU64,
    impossible: Mutex<BTreeSet<u64>>,
    done: Mutex<Vec<u64>>,
    failures: Mutex<BTreeMap<u64, u32>>,
}

fn number(event: &Event) -> u64 {
    event.sequence.expect("a number")
}

#[async_trait]
impl Consumer for Desk {
    async fn consume(&self, event: &Event) -> Result<(), Failure> {
        self.tries.fetch_add(1, Relaxed);
        if self.is_down.load(Relaxed) {
            return Err(Failure::Store("the store is down".into()));
        }
        while self.is_slow.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.impossible.lock().await.contains(&number(event)) {
            return Err(Failure::Event("no such product".into()));
        }
        self.done.lock().await.push(number(event));
        Ok(())
    }

    async fn failed(&self, event: &Event) -> Result<u32, Cause> {
        let mut failures = self.failures.lock().await;
        let count = failures.entry(number(event)).or_default();
        *count += 1;
        Ok(*count)
    }

    async fn forget(&self, event: &Event) -> Result<(), Cause> {
        self.failures.lock().await.remove(&number(event));
        Ok(())
    }
}

impl Desk {
    async fn done(&self) -> Vec<u64> {
        let mut done = self.done.lock().await.clone();
        done.sort_unstable();
        done
    }
}

struct Running {
    desk: Arc<Desk>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(log: &SharedLog, desk: Desk, fresh: &Fresh) -> Self {
        let (desk, shutdown) = (Arc::new(desk), CancellationToken::new());
        let (log, consumer, counts) = (Arc::clone(log), Arc::clone(&desk), fresh.counts.counts.clone());
        let task = tokio::spawn(consumer::run(log, &ORDERS, 4, consumer, counts, shutdown.clone()));
        Self { desk, shutdown, task }
    }

    async fn stop(self) -> Arc<Desk> {
        self.shutdown.cancel();
        in_time("the worker ends", self.task).await.expect("no panic");
        self.desk
    }
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time(what, met).await;
}

async fn dead(log: &dyn Log) -> Vec<(u64, String)> {
    let letters = log.dead(&ORDERS, 10).await.expect("dead letters");
    letters.into_iter().map(|letter| (number(&letter.event), letter.reason)).collect()
}

pub(crate) async fn what_was_given_up_is_listed_with_its_reason_and_given_again(fresh: &Fresh) {
    let Fresh { log, other, .. } = fresh;
    log.publish(&orders(1..=4)).await.expect("published");
    let mut work = log.work(&ORDERS, 4).await.expect("a place");
    for _ in 0..4 {
        let delivery = in_time("there is work", work.next()).await.expect("work");
        let reason = format!("{} is too many", number(&delivery.event));
        match number(&delivery.event) {
            1 => delivery.acknowledge().await.expect("acknowledged"),
            _ => delivery.give_up(&reason).await.expect("given up"),
        }
    }
    drop(work);
    let letter = |n: u64| (n, format!("{n} is too many"));
    // Looking at them changes nothing.
    for _ in 0..3 {
        until("all are listed", async || dead(&**other).await == [letter(2), letter(3), letter(4)]).await;
    }
    assert_eq!(other.dead(&ORDERS, 2).await.expect("dead letters").len(), 2);
    let third = other.dead(&ORDERS, 10).await.expect("dead letters").remove(1).event;
    let backlog = async |waiting, dead| {
        let is_so = async || {
            let found = other.backlog(&ORDERS).await.expect("a backlog");
            (found.waiting, found.dead) == (waiting, dead)
        };
        until(&format!("{waiting} wait and {dead} are dead"), is_so).await;
    };
    backlog(0, 3).await;
    assert_eq!(other.retry(&ORDERS, Some(third.id)).await.expect("given again"), 1);
    backlog(1, 2).await;
    assert_eq!(dead(&**log).await, [letter(2), letter(4)]);
    assert_eq!(other.retry(&ORDERS, Some(third.id)).await.expect("given again"), 0, "it is none any more");
    assert_eq!(other.retry(&ORDERS, None).await.expect("given again"), 2);
    backlog(3, 0).await;
    let running = Running::start(log, Desk::default(), fresh);
    until("all are done", async || running.desk.done().await == [2, 3, 4]).await;
    running.stop().await;
}

pub(crate) async fn a_store_that_is_down_for_a_while_makes_no_dead_letter(fresh: &Fresh) {
    let Fresh { log, other, counts, .. } = fresh;
    let desk = Desk { is_down: true.into(), ..Desk::default() };
    let running = Running::start(log, desk, fresh);
    log.publish(&orders(1..=9)).await.expect("published");
    // It holds what it may have, and takes no more, through more tries than make a dead letter.
    until("it tries", async || running.desk.tries.load(Relaxed) > 30).await;
    assert_eq!(counts.value("events_held"), Some(4));
    assert_eq!(other.backlog(&ORDERS).await.expect("a backlog").waiting, 5);
    running.desk.is_down.store(false, Relaxed);
    until("all are done", async || running.desk.done().await == (1..=9).collect::<Vec<_>>()).await;
    until("nothing is held", async || counts.value("events_held") == Some(0)).await;
    until("nothing waits", async || other.backlog(&ORDERS).await.expect("a backlog") == Default::default()).await;
    assert_eq!(counts.value("events_dead_total"), Some(0));
    assert_eq!(counts.value("events_consumed_total"), Some(9));
    running.stop().await;
}

pub(crate) async fn what_fails_five_times_is_a_dead_letter_and_the_rest_goes_on(fresh: &Fresh) {
    let Fresh { log, counts, .. } = fresh;
    let desk = Desk { impossible: BTreeSet::from([2]).into(), ..Desk::default() };
    let running = Running::start(log, desk, fresh);
    log.publish(&orders(1..=3)).await.expect("published");
    until("it is dead", async || dead(&**log).await == [(2, "no such product".to_owned())]).await;
    until("the rest is done", async || running.desk.done().await == [1, 3]).await;
    assert_eq!(running.desk.tries.load(Relaxed), 2 + 5);
    until("it is counted", async || counts.value("events_dead_total") == Some(1)).await;
    // What was wrong is mended: it is given again, and has its tries again.
    running.desk.impossible.lock().await.clear();
    assert_eq!(log.retry(&ORDERS, None).await.expect("given again"), 1);
    until("it is done", async || running.desk.done().await == [1, 2, 3]).await;
    assert!(running.desk.failures.lock().await.is_empty());
    running.stop().await;
}

pub(crate) async fn who_is_told_to_stop_finishes_what_it_has(fresh: &Fresh) {
    let Fresh { log, other, .. } = fresh;
    let running = Running::start(log, Desk { is_slow: true.into(), ..Desk::default() }, fresh);
    log.publish(&[order(1)]).await.expect("published");
    until("it is at it", async || running.desk.tries.load(Relaxed) == 1).await;
    running.shutdown.cancel();
    log.publish(&[order(2)]).await.expect("published");
    running.desk.is_slow.store(false, Relaxed);
    let desk = running.stop().await;
    assert_eq!(desk.done().await, [1]);
    until("the other one waits", async || other.backlog(&ORDERS).await.expect("a backlog").waiting == 1).await;

    // What is held is given back.
    let running = Running::start(log, Desk { is_down: true.into(), ..Desk::default() }, fresh);
    until("it holds it", async || running.desk.tries.load(Relaxed) > 0).await;
    running.stop().await;
    until("it waits", async || other.backlog(&ORDERS).await.expect("a backlog").waiting == 1).await;
}

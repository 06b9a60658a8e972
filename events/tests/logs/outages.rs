//! What becomes of the log while its broker is away, frozen, full, or has lost what it confirmed.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use events::{Consumer, Error, Event, Failure, Follower, Log, Start, consumer, follow::Sequences, rabbitmq::RabbitMq};
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    CLERKS, ORDERS, PATIENCE, broker::Broker, counted::Counted, in_time, insist, numbers, orders, posts, topology,
};

/// What was done, however often.
#[derive(Default)]
struct Done(Mutex<BTreeSet<u64>>);

#[async_trait]
impl Consumer for Done {
    async fn consume(&self, event: &Event) -> Result<(), Failure> {
        self.0.lock().await.insert(event.sequence.expect("a number"));
        Ok(())
    }

    async fn failed(&self, _: &Event) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        unreachable!("nothing fails")
    }

    async fn forget(&self, _: &Event) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        unreachable!("nothing fails")
    }
}

/// Workers and a follower of one log, as processes of their own have them.
struct Audience {
    done: Arc<Done>,
    followed: Arc<Mutex<Vec<u64>>>,
    counts: Counted,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Audience {
    fn new(log: &RabbitMq) -> Self {
        let (counts, shutdown) = (Counted::new(), CancellationToken::new());
        let (done, followed) = (Arc::new(Done::default()), Arc::new(Mutex::default()));
        let (log, its) = (Arc::new(log.clone()), Arc::clone(&done));
        let works = consumer::run(log.clone(), &ORDERS, 8, its, counts.counts.clone(), shutdown.clone());
        let follows =
            shutdown.clone().run_until_cancelled_owned(follow(log, Arc::clone(&followed), counts.counts.clone()));
        let tasks = vec![tokio::spawn(works), tokio::spawn(async { follows.await.unwrap_or_default() })];
        Self { done, followed, counts, shutdown, tasks }
    }

    /// Waits until all up to a number were done, and followed in order, each once.
    async fn has_all(&self, last: u64) {
        let all = async {
            while self.done.0.lock().await.len() < last as usize || self.followed.lock().await.len() < last as usize {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.ok();
        assert_eq!(*self.followed.lock().await, (1..=last).collect::<Vec<_>>());
        assert_eq!(*self.done.0.lock().await, (1..=last).collect());
        assert_eq!(self.counts.value("events_missing_total"), None);
        assert_eq!(self.counts.value("events_dead_total"), Some(0));
    }

    async fn leave(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            in_time("it ends", task).await.expect("no panic");
        }
    }
}

async fn follow(log: Arc<RabbitMq>, followed: Arc<Mutex<Vec<u64>>>, counts: events::Counts) {
    let replay = loop {
        match log.replay(Start::First).await {
            Ok(replay) => break replay,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let mut follower = Follower::new(replay, Sequences::from_first(), counts);
    loop {
        // An error is an interruption, after which it goes on.
        if let Ok(entries) = follower.next(100).await {
            followed.lock().await.extend(numbers(entries.iter().map(|entry| &entry.event)));
        }
    }
}

async fn refuses(log: &RabbitMq, events: &[Event]) {
    let begun = Instant::now();
    let refused = in_time("an answer", log.publish(events)).await.expect_err("the broker takes nothing");
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "an answer after {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_late_breaks_and_freezes_costs_nobody_an_event() {
    let mut broker = Broker::absent();
    let topology = topology();
    let open = |instance| RabbitMq::new(&broker.url(), instance, topology.clone()).expect("an URL");
    let (log, audience) = (open("relay"), Audience::new(&open("workers")));
    refuses(&log, &orders(1..=2)).await;
    assert!(log.check().await.is_err());
    broker.start().await;
    insist(&log, &orders(1..=100)).await;
    audience.has_all(100).await;
    broker.settle().await;

    // It breaks while it is published to.
    let publishes = tokio::spawn({
        let log = log.clone();
        async move {
            for batch in orders(101..=1100).chunks(10) {
                insist(&log, batch).await;
            }
        }
    });
    while audience.followed.lock().await.len() < 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    broker.crash().await;
    broker.start().await;
    tokio::time::timeout(2 * PATIENCE, publishes).await.expect("all is published").expect("no panic");
    // What the relay does after a break: what was confirmed in the 60 s before is sent again.
    insist(&log, &orders(1..=1100)).await;
    audience.has_all(1100).await;

    broker.freeze();
    refuses(&log, &orders(1101..=1110)).await;
    broker.thaw();
    insist(&log, &orders(1101..=1110)).await;
    audience.has_all(1110).await;
    audience.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_lost_after_its_confirmation_is_sent_again_and_followed_once() {
    let mut broker = Broker::absent();
    broker.start().await;
    let log = RabbitMq::new(&broker.url(), "relay", topology()).expect("an URL");
    let audience = Audience::new(&log);
    for batch in orders(1..=300).chunks(20) {
        insist(&log, batch).await;
    }
    audience.has_all(300).await;
    broker.settle().await;
    broker.crash().await;
    broker.lose_the_end_of_streams();
    broker.start().await;
    insist(&log, &orders(1..=300)).await;
    insist(&log, &orders(301..=320)).await;
    audience.has_all(320).await;
    // Who comes now finds all there is, too: the first numbers once, and what was lost.
    let late = Audience::new(&log);
    let all = async {
        while late.followed.lock().await.len() < 320 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("all is followed", all).await;
    assert_eq!(*late.followed.lock().await, (1..=320).collect::<Vec<_>>());
    late.leave().await;
    audience.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_full_or_blocked_says_so_and_takes_all_later() {
    let mut broker = Broker::absent();
    broker.start().await;
    let topology = topology();
    let log = RabbitMq::new(&broker.url(), "relay", topology.clone()).expect("an URL");
    insist(&log, &orders(1..=2)).await;

    // A queue that is full takes nothing, and the publisher is told.
    let full = format!("^{}.work.orders$", topology.name);
    broker.control(&["set_policy", "full", &full, r#"{"max-length": 3}"#, "--apply-to", "queues"]).await;
    let filled = async { while log.publish(&orders(3..=10)).await.is_ok() {} };
    in_time("it is full", filled).await;
    let audience = Audience::new(&log);
    insist(&log, &orders(3..=10)).await;
    broker.control(&["clear_policy", "full"]).await;
    audience.has_all(10).await;

    // A broker without memory reads nothing more from who publishes; workers work on.
    insist(&log, &[orders(11..=20), posts(21..=22)].concat()).await;
    broker.control(&["set_vm_memory_high_watermark", "0.000001"]).await;
    refuses(&log, &orders(23..=30)).await;
    refuses(&log, &orders(23..=30)).await;
    let mut clerks = log.work(&CLERKS, 1).await.expect("a place");
    let delivery = in_time("there is work", clerks.next()).await.expect("work");
    delivery.acknowledge().await.expect("acknowledged");
    broker.control(&["set_vm_memory_high_watermark", "0.9"]).await;
    insist(&log, &orders(23..=30)).await;
    // All of it once, in order; posts are no orders.
    let all = async {
        while audience.followed.lock().await.len() < 30 || audience.done.0.lock().await.len() < 28 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.ok();
    let followed = audience.followed.lock().await.clone();
    // Posts have numbers of another source.
    assert_eq!(followed.into_iter().collect::<BTreeSet<_>>(), (1..=30).collect());
    audience.leave().await;
}

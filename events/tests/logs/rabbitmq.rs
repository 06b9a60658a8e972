//! The suite on a broker that many share.

use std::sync::Arc;

use events::{Log, rabbitmq::RabbitMq};

use crate::{
    ORDERS,
    contract::{Fresh, log_contract},
    counted::Counted,
    in_time, orders, topology,
};

async fn fresh() -> Fresh {
    let url = std::env::var("TEST_AMQP_URL")
        .expect("TEST_AMQP_URL is not set: `make test` starts a throw-away RabbitMQ and sets it");
    // Of the test's own, until the broker ends.
    let topology = topology();
    let open = |instance| RabbitMq::new(&url, instance, topology.clone()).expect("an URL");
    let fresh = Fresh {
        log: Arc::new(open("one")),
        other: Arc::new(open("other")),
        counts: Counted::new(),
        _keep: Arc::new(()),
    };
    fresh.log.check().await.expect("the broker answers");
    fresh
}

log_contract!(fresh);

/// A channel on which an operator does harm.
async fn operator() -> (lapin::Connection, lapin::Channel) {
    let url = std::env::var("TEST_AMQP_URL").expect("set");
    let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.expect("connects");
    let channel = connection.create_channel().await.expect("a channel");
    (connection, channel)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_gone_is_missed_and_made_again() {
    let (topology, url) = (topology(), std::env::var("TEST_AMQP_URL").expect("set"));
    let log = RabbitMq::new(&url, "one", topology.clone()).expect("an URL");
    log.publish(&orders(1..=2)).await.expect("published");
    let mut work = log.work(&ORDERS, 1).await.expect("a place");
    in_time("there is work", work.next()).await.expect("work").acknowledge().await.expect("acknowledged");
    let (_connection, channel) = operator().await;
    let queue = format!("{}.work.orders", topology.name);
    channel.queue_delete(queue.into(), Default::default()).await.expect("deleted");
    log.check().await.expect_err("a queue is missing");
    log.publish(&orders(3..=3)).await.expect("published");
    log.check().await.expect("all queues are there");
    // The worker is told that its queue is gone, and finds the new one.
    let delivery = async {
        loop {
            if let Ok(delivery) = work.next().await
                && delivery.event.sequence == Some(3)
            {
                return delivery;
            }
        }
    };
    in_time("there is work", delivery).await.acknowledge().await.expect("acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_that_is_missing_is_made_again_by_whoever_connects() {
    let (topology, url) = (topology(), std::env::var("TEST_AMQP_URL").expect("set"));
    let open = || RabbitMq::new(&url, "one", topology.clone()).expect("an URL");
    let log = open();
    log.publish(&orders(1..=1)).await.expect("published");
    let (_connection, channel) = operator().await;
    let (queue, exchange) = (format!("{}.work.orders", topology.name), format!("{}.events", topology.name));
    channel
        .queue_unbind(queue.into(), exchange.into(), "order.created".into(), Default::default())
        .await
        .expect("unbound");
    open().publish(&orders(2..=2)).await.expect("published");
    assert_eq!(log.backlog(&ORDERS).await.expect("a backlog").waiting, 2);
}

#[test]
fn an_url_that_is_none_says_what_would_be_right() {
    for url in ["", "redis://localhost", "amqps://localhost", "amqp//x"] {
        let error = RabbitMq::new(url, "one", topology()).map(drop).expect_err("no URL").to_string();
        assert!(error.starts_with("AMQP_URL must be like amqp://user:password@host:5672"), "{error}");
    }
    let error = RabbitMq::new("amqp://capsim:secret@host:port", "one", topology()).map(drop).expect_err("no URL");
    assert!(!error.to_string().contains("secret"), "{error}");
}

//! The suite on a broker that many share.

use std::sync::Arc;

use events::rabbitmq::RabbitMq;

use crate::{
    contract::{Fresh, log_contract},
    counted::Counted,
    topology,
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

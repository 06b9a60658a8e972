//! A gateway whose replicas have not answered yet.

use std::time::Duration;

use gateway::{
    Settings, Stores,
    config::{Options, Replicas},
};
use runtime::identity::SigningKeys;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_gateway_claims_nothing_of_replicas_that_have_not_answered() {
    // Its connections are taken, by the kernel, and nobody answers: a check has a second.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let replicas = vec![silent.local_addr().unwrap().into()];
    let options = Options {
        jwt_ttl: Duration::from_secs(60),
        cache_ttl: Duration::ZERO,
        rate_limit: 0,
        auth_rate_limit: 0,
        calls_at_once: 128,
        live_at_once: 16,
        connections_per_address: 512,
        trusted_proxies: Vec::new(),
    };
    let settings = Settings {
        instance: "gateway-1".to_owned(),
        replicas: Replicas {
            accounts: replicas.clone(),
            marketplace: replicas.clone(),
            discourse: replicas.clone(),
            feed: replicas,
        },
        keys: SigningKeys::load(&tests::JWT_KEY).unwrap(),
        options,
        stores: Stores::Memory,
        clock: kernel::Clock::system(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let status = format!("http://{}/status", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(gateway::serve(listener, settings, shutdown.clone()));

    let answer = reqwest::get(status).await.unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], "unhealthy");
    for service in ["accounts", "marketplace", "discourse", "feed"] {
        assert_eq!(body["services"][service]["status"], "unhealthy");
        assert_eq!(body["services"][service]["replicas"][0]["up"], false);
    }
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(20), serving).await.expect("it ends").unwrap().unwrap();
}

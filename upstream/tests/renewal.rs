//! Connections of a replica end for their age, under load; calls do not.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{extract::ConnectInfo, http::HeaderMap, routing::post};
use http::{HeaderValue, Request};
use runtime::{
    metrics::Metrics,
    server::{self, Limits},
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body, service::Routes};
use tonic_health::ServingStatus;
use tower::Service;
use upstream::{Balancer, Checks, Policy};

const SERVICE: &str = "test.Service";

#[tokio::test]
async fn a_replica_that_renews_its_connections_fails_no_call() {
    let peers = Arc::new(Mutex::new(HashSet::<SocketAddr>::new()));
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    let address = replica(Arc::clone(&peers), &shutdown).await;
    let metrics = Metrics::new("test").expect("metrics");
    let checks = Checks::start(&TaskTracker::new(), &shutdown).expect("thread");
    let balancer = Balancer::new("test", SERVICE, &[address.into()], &metrics, &checks);
    let renewed = || peers.lock().expect("peers").len() >= 4;
    let begun = Instant::now();
    let callers = (0..8).map(|_| {
        let mut balancer = balancer.clone();
        async move {
            let mut calls = 0;
            while !renewed() {
                assert!(begun.elapsed() < Duration::from_secs(60), "connections are renewed");
                let answer = balancer.call(call()).await.unwrap_or_else(|status| panic!("call {calls}: {status}"));
                let status = Status::from_header_map(answer.headers()).expect("a status");
                assert_eq!(status.code(), tonic::Code::Ok, "call {calls}: {status}");
                calls += 1;
            }
        }
    });
    futures_util::future::join_all(callers).await;
}

/// One whose connections are soon too old; `peers` are those that called.
async fn replica(peers: Arc<Mutex<HashSet<SocketAddr>>>, shutdown: &CancellationToken) -> SocketAddr {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(SERVICE, ServingStatus::Serving).await;
    let answer = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        peers.lock().expect("peers").insert(peer);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let headers = [("content-type", "application/grpc"), ("grpc-status", "0")];
        HeaderMap::from_iter(
            headers.map(|(name, value)| (name.parse().expect("name"), HeaderValue::from_static(value))),
        )
    };
    let app = Routes::new(health).into_axum_router().route("/test.Service/Call", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    let half = Duration::from_millis(500);
    let limits = Limits { first_request: half, age: half, idle: 4 * half, ..Limits::default() };
    let metrics = Metrics::new("replica").expect("metrics");
    tokio::spawn(server::serve(listener, app, metrics, limits, shutdown.clone()));
    address
}

/// One that may not be sent twice.
fn call() -> Request<Body> {
    let mut request = Request::post("/test.Service/Call").body(Body::empty()).expect("request");
    let deadline = Instant::now() + Duration::from_secs(20);
    request.extensions_mut().insert(Policy { deadline, repeatable: false });
    request
}

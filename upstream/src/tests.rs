use std::net::SocketAddr;

use axum::{http::HeaderMap, routing::post};
use runtime::health::NOT_SERVING;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::Service;

use super::*;

const SERVICE: &str = "test.Service";

/// A replica that is healthy as far as its health tells, and counts the calls that it gets; `refuses` them so.
async fn replica(refuses: Option<&'static str>, seen: Arc<AtomicUsize>) -> SocketAddr {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(SERVICE, ServingStatus::Serving).await;
    let answer = move || {
        seen.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(if refuses.is_some() { "14" } else { "0" }));
        if let Some(which) = refuses {
            headers.insert(NOT_SERVING, HeaderValue::from_static(which));
        }
        std::future::ready(headers)
    };
    let read = async || ([("content-type", "application/grpc"), ("grpc-status", "0")], ());
    let routes = Routes::new(health).into_axum_router();
    let app = routes.route("/test.Service/Call", post(answer)).route("/test.Service/Read", post(read));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn call(method: &str) -> Request<Body> {
    let mut request = Request::post(format!("/test.Service/{method}")).body(Body::empty()).expect("request");
    let deadline = Instant::now() + Duration::from_secs(20);
    request.extensions_mut().insert(Policy { deadline, repeatable: false });
    request
}

#[tokio::test]
async fn what_a_replica_refuses_unseen_goes_to_another_one_even_a_write() {
    let (refused, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let addresses = [replica(Some("all"), Arc::clone(&refused)).await, replica(None, Arc::clone(&done)).await];
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let metrics = Metrics::new("test").expect("metrics");
    let mut balancer = Balancer::new("test", SERVICE, &addresses.map(Into::into), &metrics, &tasks, &shutdown);
    for _ in 0..10 {
        let answer = balancer.call(call("Call")).await.expect("done");
        assert_eq!(code(&answer), Code::Ok);
    }
    assert_eq!(done.load(Ordering::Relaxed), 10, "each call is done once");
    assert!(refused.load(Ordering::Relaxed) > 0, "the other one was asked");
    shutdown.cancel();
}

#[tokio::test]
async fn a_write_refused_unseen_goes_to_one_that_writes_and_reads_go_to_all() {
    let (refused, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let degraded = async || replica(Some("writes"), Arc::clone(&refused)).await;
    let addresses = [degraded().await, degraded().await, replica(None, Arc::clone(&done)).await];
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let metrics = Metrics::new("test").expect("metrics");
    let balancer = |of: &[SocketAddr]| {
        let addresses: Vec<_> = of.iter().map(|address| (*address).into()).collect();
        Balancer::new("test", SERVICE, &addresses, &metrics, &tasks, &shutdown)
    };
    let all = balancer(&addresses);
    let writes = (0..30).map(|_| all.clone().call(call("Call")));
    for answer in futures_util::future::join_all(writes).await {
        assert_eq!(code(&answer.expect("done")), Code::Ok);
    }
    assert_eq!(done.load(Ordering::Relaxed), 30, "each call is done once");
    assert!(all.replicas().iter().all(|replica| replica.is_live()), "nobody is ejected");

    let mut none_writes = balancer(&addresses[..2]);
    let error = none_writes.call(call("Call")).await.expect_err("nobody writes");
    assert_eq!((error.code(), error.message().contains("can be read")), (Code::Unavailable, true), "{error}");
    for _ in 0..10 {
        assert_eq!(code(&none_writes.call(call("Read")).await.expect("reads go on")), Code::Ok);
    }
    shutdown.cancel();
}

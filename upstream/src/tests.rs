use std::net::SocketAddr;

use axum::{http::HeaderMap, routing::post};
use runtime::health::NOT_SERVING;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tower::Service;

use super::*;

const SERVICE: &str = "test.Service";

/// A replica that is healthy as far as its health tells, and counts the calls that it gets.
async fn replica(refuses: bool, seen: Arc<AtomicUsize>) -> SocketAddr {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(SERVICE, ServingStatus::Serving).await;
    let answer = move || {
        seen.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(if refuses { "14" } else { "0" }));
        if refuses {
            headers.insert(NOT_SERVING, HeaderValue::from_static("1"));
        }
        std::future::ready(headers)
    };
    let app = Routes::new(health).into_axum_router().route("/test.Service/Call", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn call() -> Request<Body> {
    let mut request = Request::post("/test.Service/Call").body(Body::empty()).expect("request");
    let deadline = Instant::now() + Duration::from_secs(20);
    request.extensions_mut().insert(Policy { deadline, repeatable: false });
    request
}

#[tokio::test]
async fn what_a_replica_refuses_unseen_goes_to_another_one_even_a_write() {
    let (refused, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let addresses = [replica(true, Arc::clone(&refused)).await, replica(false, Arc::clone(&done)).await];
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let metrics = Metrics::new("test").expect("metrics");
    let mut balancer = Balancer::new("test", SERVICE, &addresses.map(Into::into), &metrics, &tasks, &shutdown);
    for _ in 0..10 {
        let answer = balancer.call(call()).await.expect("done");
        assert_eq!(code(&answer), Code::Ok);
    }
    assert_eq!(done.load(Ordering::Relaxed), 10, "each call is done once");
    assert!(refused.load(Ordering::Relaxed) > 0, "the other one was asked");
    shutdown.cancel();
}

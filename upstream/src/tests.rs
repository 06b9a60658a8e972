use std::{net::SocketAddr, thread};

use axum::{Router, http::HeaderMap, routing::post};
use runtime::health::NOT_SERVING;
use tokio::{net::TcpListener, runtime::Builder};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, HealthCheckResponse, health_server},
};
use tower::Service;

use super::*;

const SERVICE: &str = "test.Service";

/// Serves, on a thread of its own, until the test ends.
fn serve(app: Router) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    listener.set_nonblocking(true).expect("nonblocking");
    let address = listener.local_addr().expect("address");
    let runtime = Builder::new_current_thread().enable_all().build().expect("runtime");
    thread::spawn(move || {
        runtime.block_on(async { axum::serve(TcpListener::from_std(listener).expect("listener"), app).await })
    });
    address
}

/// The call that all replicas have, which counts how often it is `seen`.
fn with_call(app: Router, refuses: Option<&'static str>, seen: Arc<AtomicUsize>) -> Router {
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
    app.route("/test.Service/Call", post(answer)).route("/test.Service/Read", post(read))
}

/// A replica that is healthy as far as its health tells, and counts the calls that it gets.
async fn replica(refuses: Option<&'static str>, seen: Arc<AtomicUsize>) -> SocketAddr {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(SERVICE, ServingStatus::Serving).await;
    serve(with_call(Routes::new(health).into_axum_router(), refuses, seen))
}

/// What a check finds, one after the other; the last for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Well,
    Silence,
    NotServing,
}

/// The health of a replica, by a script, and how often it was asked.
#[derive(Clone)]
struct Script(&'static [Answer], Arc<AtomicUsize>);

#[tonic::async_trait]
impl health_server::Health for Script {
    type WatchStream = futures_util::stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, Status> {
        let asked = self.1.fetch_add(1, Ordering::SeqCst);
        match self.0.get(asked).or(self.0.last()) {
            Some(Answer::Well) => Ok(tonic::Response::new(HealthCheckResponse { status: 1 })),
            Some(Answer::NotServing) => Ok(tonic::Response::new(HealthCheckResponse { status: 2 })),
            Some(Answer::Silence) | None => std::future::pending().await,
        }
    }

    async fn watch(&self, _: tonic::Request<HealthCheckRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

/// A replica whose health follows a script; and how often it was asked.
fn scripted(script: &'static [Answer], seen: &Arc<AtomicUsize>) -> (SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let health = health_server::HealthServer::new(Script(script, Arc::clone(&asked)));
    (serve(with_call(Routes::new(health).into_axum_router(), None, Arc::clone(seen))), asked)
}

/// A balancer, whose health checks end with the guard.
fn balancer(addresses: &[SocketAddr]) -> (Balancer, tokio_util::sync::DropGuard) {
    let shutdown = CancellationToken::new();
    let checks = Checks::start(&TaskTracker::new(), &shutdown).expect("thread");
    let metrics = Metrics::new("test").expect("metrics");
    let addresses: Vec<_> = addresses.iter().map(|address| (*address).into()).collect();
    (Balancer::new("test", SERVICE, &addresses, &metrics, &checks), shutdown.drop_guard())
}

fn call(method: &str) -> Request<Body> {
    let mut request = Request::post(format!("/test.Service/{method}")).body(Body::empty()).expect("request");
    let deadline = Instant::now() + Duration::from_secs(20);
    request.extensions_mut().insert(Policy { deadline, repeatable: false });
    request
}

/// Polls until `condition` holds, for 20 s at most.
async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < patience, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_a_replica_refuses_unseen_goes_to_another_one_even_a_write() {
    let (refused, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let addresses = [replica(Some("all"), Arc::clone(&refused)).await, replica(None, Arc::clone(&done)).await];
    let (mut balancer, _checks) = balancer(&addresses);
    for _ in 0..10 {
        let answer = balancer.call(call("Call")).await.expect("done");
        assert_eq!(code(&answer), Code::Ok);
    }
    assert_eq!(done.load(Ordering::Relaxed), 10, "each call is done once");
    assert!(refused.load(Ordering::Relaxed) > 0, "the other one was asked");
}

#[tokio::test]
async fn of_a_replica_that_has_not_answered_yet_nothing_is_claimed_but_calls_may_go_there() {
    let (silent, well) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (address, asked) = scripted(&[Answer::Silence], &silent);
    let (mut alone, _checks) = balancer(&[address]);
    assert!(!alone.replicas()[0].is_live());
    eventually("it is asked", || asked.load(Ordering::SeqCst) > 0).await;
    assert!(!alone.replicas()[0].is_live(), "it was asked, and has not answered");
    alone.call(call("Call")).await.expect("done");
    assert_eq!(silent.load(Ordering::Relaxed), 1);

    // Where one is known to be well, calls go there.
    let (known, _) = scripted(&[Answer::Well], &well);
    let (mut both, _checks) = balancer(&[address, known]);
    eventually("one is well", || both.replicas()[1].is_live()).await;
    for _ in 0..10 {
        both.call(call("Call")).await.expect("done");
    }
    assert_eq!((silent.load(Ordering::Relaxed), well.load(Ordering::Relaxed)), (1, 10));
}

#[tokio::test]
async fn one_late_answer_ejects_nobody_and_two_in_a_row_do() {
    use Answer::{Silence, Well};
    let seen = Arc::new(AtomicUsize::new(0));
    let (address, asked) = scripted(&[Well, Silence, Well, Silence, Silence, Silence, Well], &seen);
    let (balancer, _checks) = balancer(&[address]);
    let replica = &balancer.replicas()[0];
    eventually("it is well", || replica.is_live()).await;
    while asked.load(Ordering::SeqCst) < 5 {
        assert!(replica.is_live() || asked.load(Ordering::SeqCst) >= 5, "one late answer");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    eventually("it is ejected", || !replica.is_live()).await;
    eventually("it is back", || replica.is_live()).await;
    assert!(asked.load(Ordering::SeqCst) >= 7);
}

#[tokio::test]
async fn who_says_that_it_does_not_serve_is_believed_at_once() {
    let seen = Arc::new(AtomicUsize::new(0));
    let (address, asked) = scripted(&[Answer::Well, Answer::NotServing], &seen);
    let (balancer, _checks) = balancer(&[address]);
    let replica = &balancer.replicas()[0];
    eventually("it is well", || replica.is_live()).await;
    eventually("it is ejected", || !replica.is_live()).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_process_that_is_busy_goes_on_with_its_health_checks() {
    let (seen, well) = (Arc::new(AtomicUsize::new(0)), &[Answer::Well]);
    let (address, asked) = scripted(well, &seen);
    let (balancer, _checks) = balancer(&[address]);
    eventually("it is well", || balancer.replicas()[0].is_live()).await;
    let before = asked.load(Ordering::SeqCst);
    // Everything else that this process does stands still meanwhile.
    thread::sleep(Duration::from_millis(2500));
    assert!(asked.load(Ordering::SeqCst) > before, "nobody asked");
    assert!(balancer.replicas()[0].is_live());
}

#[tokio::test]
async fn a_write_refused_unseen_goes_to_one_that_writes_and_reads_go_to_all() {
    let (refused, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let degraded = async || replica(Some("writes"), Arc::clone(&refused)).await;
    let addresses = [degraded().await, degraded().await, replica(None, Arc::clone(&done)).await];
    let (all, _checks) = balancer(&addresses);
    let writes = (0..30).map(|_| all.clone().call(call("Call")));
    for answer in futures_util::future::join_all(writes).await {
        assert_eq!(code(&answer.expect("done")), Code::Ok);
    }
    assert_eq!(done.load(Ordering::Relaxed), 30, "each call is done once");
    eventually("nobody is ejected", || all.replicas().iter().all(|replica| replica.is_live())).await;

    let (mut none_writes, _checks) = balancer(&addresses[..2]);
    let error = none_writes.call(call("Call")).await.expect_err("nobody writes");
    assert_eq!((error.code(), error.message().contains("can be read")), (Code::Unavailable, true), "{error}");
    for _ in 0..10 {
        assert_eq!(code(&none_writes.call(call("Read")).await.expect("reads go on")), Code::Ok);
    }
}

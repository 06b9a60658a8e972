//! Round robin over the replicas of a service: a tower service over one persistent HTTP/2 channel a replica.
//!
//! - Strict rotation over the live replicas: 300 calls in a row over 3 of them go 100/100/100.
//! - A replica that cannot be reached, or breaks off, is ejected at once; [`health`] brings it back. Of one that was never
//!   asked nothing is known: calls go there only as long as there is none that is known to be well.
//! - A call that was never sent is retried on the next replica whatever it is. One that was, or may have been, is
//!   retried only where it is safe to repeat ([`Policy::repeatable`]).
//! - Every call has a deadline, passed on in `grpc-timeout`; what is left of it at each attempt.

mod ended;
mod failure;
mod health;
mod replica;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use kernel::Error;
use opentelemetry::{KeyValue, metrics::Counter};
use proto::errors;
use runtime::{access::Notes, context, deadline::GRPC_TIMEOUT, metrics::Metrics, status::refuse, trace};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tracing::{Instrument, Span};

pub use self::{
    ended::{IdentityOptions, follow_ended, verifying},
    health::Checks,
    replica::{Replica, ReplicaAddress, connect},
};
use self::{failure::Fault, replica::Health};

/// How one call may be carried out; goes into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub deadline: Instant,
    /// Whether doing it twice is the same as doing it once: a read, or a write with an idempotency key.
    pub repeatable: bool,
}

/// Between two looks whether every replica was checked: a moment, once in a gateway's life.
const CHECKED_POLL: Duration = Duration::from_millis(2);

/// The request of a call that goes on from `context`: with the caller's token, the request's id and trace, and what is left of
/// the deadline.
pub fn request<T>(context: &context::Context, message: T, repeatable: bool) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    *request.metadata_mut() = context.metadata();
    request.extensions_mut().insert(Policy { deadline: context.deadline, repeatable });
    if let Some(notes) = context.notes() {
        request.extensions_mut().insert(notes.clone());
    }
    request
}

/// All replicas of one service.
#[derive(Clone, Debug)]
pub struct Balancer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: &'static str,
    replicas: Vec<Arc<Replica>>,
    turn: AtomicUsize,
    attempts: Counter<u64>,
}

impl Balancer {
    /// Connects lazily: a replica that is not there yet is found by its health check.
    ///
    /// `grpc_name` is the name that the health checks ask for.
    pub fn new(
        service: &'static str,
        grpc_name: &'static str,
        addresses: &[ReplicaAddress],
        metrics: &Metrics,
        checks: &Checks,
    ) -> Self {
        let replicas: Vec<_> = addresses.iter().map(|address| Arc::new(Replica::new(address))).collect();
        for replica in &replicas {
            checks.watch(Arc::clone(replica), service, grpc_name, metrics.clone());
        }
        let attempts = metrics
            .meter()
            .u64_counter("lb_requests")
            .with_description("Calls sent to a replica, by the gRPC code they ended with")
            .build();
        Self(Arc::new(Inner { service, replicas, turn: AtomicUsize::new(0), attempts }))
    }

    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// Waits until it is known of each replica whether it is there.
    pub async fn checked(&self) {
        while self.0.replicas.iter().any(|replica| replica.health() == Health::Unknown) {
            tokio::time::sleep(CHECKED_POLL).await;
        }
    }

    pub fn replicas(&self) -> &[Arc<Replica>] {
        &self.0.replicas
    }
}

impl tower::Service<Request<Body>> for Balancer {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.call(request).await })
    }
}

impl Inner {
    async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let Policy { deadline, repeatable } = head
            .extensions
            .get()
            .copied()
            .unwrap_or_else(|| Policy { deadline: Instant::now() + Duration::from_secs(5), repeatable: false });

        // Each failed attempt ejects its replica, so that the next goes to another one; or says that it is degraded, and that
        // this call writes; but a connection that was just going may fail a call once, and there is a new one at once.
        let mut writes = false;
        for _ in 0..2 * self.replicas.len() {
            let Some(replica) = self.next(writes) else { break };
            let span = trace::call(head.uri.path(), replica.name());
            let mut attempt = attempt(&head, body.clone(), deadline)?;
            trace::inject(&span, attempt.headers_mut());
            Notes::attempt(&head.extensions, replica.name());
            let sent = replica.send(attempt).instrument(span.clone());
            match tokio::time::timeout_at(deadline, sent).await {
                Ok(Ok(response)) => {
                    self.count(replica, code(&response), &span);
                    return Ok(response);
                }
                Ok(Err(failure)) => {
                    match failure.fault {
                        Fault::Replica => replica.eject(&failure),
                        Fault::Connection => {}
                        Fault::Writes => {
                            replica.set_degraded(true);
                            writes = true;
                        }
                    }
                    self.count(replica, Code::Unavailable, &span);
                    if !failure.never_sent && !repeatable {
                        return Err(outcome_unknown(self.service));
                    }
                }
                Err(_) => {
                    self.count(replica, Code::DeadlineExceeded, &span);
                    return Err(deadline_exceeded(self.service));
                }
            }
        }
        Err(if writes { only_reads(self.service) } else { no_live_replica(self.service) })
    }

    /// Whose turn it is among the live ones, those that write where that is needed; where none is known to be live, among
    /// those that nothing is known of.
    fn next(&self, writes: bool) -> Option<&Arc<Replica>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let turn_of = |health| {
            let is_apt =
                move |replica: &&Arc<Replica>| replica.health() == health && !(writes && replica.is_degraded());
            let these = || self.replicas.iter().filter(is_apt);
            these().nth(turn.checked_rem(these().count())?)
        };
        turn_of(Health::Live).or_else(|| turn_of(Health::Unknown))
    }

    fn count(&self, replica: &Replica, code: Code, span: &Span) {
        replica.count();
        trace::ended(span, code);
        self.attempts.add(
            1,
            &[
                KeyValue::new("service", self.service),
                KeyValue::new("replica", Arc::clone(replica.name())),
                KeyValue::new("code", code_name(code)),
            ],
        );
    }
}

/// The request of one attempt. Its body is shared, not copied.
fn attempt(head: &Parts, body: Bytes, deadline: Instant) -> Result<Request<Body>, Status> {
    let mut request = Request::new(Body::new(Full::new(body)));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.clone();
    *request.version_mut() = head.version;
    *request.headers_mut() = head.headers.clone();
    // At most 8 digits, by the gRPC specification: enough for 27 hours in milliseconds.
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 99_999_999);
    let mut timeout = HeaderValue::try_from(format!("{left}m")).map_err(|e| Status::internal(e.to_string()))?;
    // Seldom the same twice: not for HTTP/2's header table.
    timeout.set_sensitive(true);
    request.headers_mut().insert(GRPC_TIMEOUT, timeout);
    Ok(request)
}

/// The code that a complete answer ended with: in its head where there is no message, else in its trailers, which
/// [`Replica::send`] has moved to the head's extensions.
fn code(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers())
        .or_else(|| response.extensions().get::<replica::Trailers>().and_then(|t| Status::from_header_map(&t.0)))
        .map_or(Code::Ok, |status| status.code())
}

/// The code's name as the gRPC specification writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn no_live_replica(service: &str) -> Status {
    refuse(Error::new(errors::UNAVAILABLE, format!("no replica of the {service} service can be reached")))
}

fn only_reads(service: &str) -> Status {
    let message = format!("the {service} service cannot keep anything at the moment; what is there can be read");
    refuse(Error::new(errors::UNAVAILABLE, message))
}

fn outcome_unknown(service: &str) -> Status {
    let message = format!(
        "the connection to the {service} service broke: whether this took effect is not known, look before you retry"
    );
    refuse(Error::new(errors::OUTCOME_UNKNOWN, message))
}

fn deadline_exceeded(service: &str) -> Status {
    refuse(Error::new(errors::DEADLINE_EXCEEDED, format!("the {service} service took too long")))
}

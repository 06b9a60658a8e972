//! Health that follows the store: it is read and written every second, and what comes of it is told to
//! `grpc.health.v1`, `/status`, `store_up` and the log.
//!
//! | the store | `/status` | `grpc.health.v1` | `store_up` | own calls |
//! |---|---|---|---|---|
//! | reads and writes | healthy | SERVING | 1 | served |
//! | reads only | degraded | SERVING | 0 | those that write are refused unseen |
//! | neither | unhealthy | NOT_SERVING | 0 | refused unseen |

use std::{
    collections::HashSet,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use kernel::error::{Chain, Error as CallError};
use prost_types::{MethodDescriptorProto, method_options::IdempotencyLevel};
use proto::errors;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::status::refuse;

/// Header of the answer to a call that was refused without looking at it, since the store is down: whoever sent it may
/// ask another replica, whatever the call is.
pub const NOT_SERVING: HeaderName = HeaderName::from_static("x-not-serving");
/// Value of [`NOT_SERVING`] where only calls that write are refused.
pub const WRITES: HeaderValue = HeaderValue::from_static("writes");
/// Its value where all are.
const ALL: HeaderValue = HeaderValue::from_static("all");

/// How often a store that is well is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often one that is not.
const INTERVAL_DOWN: Duration = Duration::from_millis(250);
/// A check that takes longer has failed, if the one before it did too: a busy disk is no broken one.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What the store did when last asked.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    reads: Arc<AtomicBool>,
    writes: Arc<AtomicBool>,
    reporter: HealthReporter,
    name: &'static str,
}

/// How well a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Healthy,
    /// The store is read but cannot be written to.
    Degraded,
    /// The store cannot be read.
    Unhealthy,
}

impl Health {
    /// Not serving until the store has answered once.
    pub(crate) async fn new(name: &'static str) -> Self {
        let health = Self { reads: Arc::default(), writes: Arc::default(), reporter: HealthReporter::new(), name };
        health.report().await;
        health
    }

    pub(crate) fn reporter(&self) -> HealthReporter {
        self.reporter.clone()
    }

    /// Full name of the gRPC service, as in `grpc.health.v1.HealthCheckRequest.service`.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn condition(&self) -> Condition {
        match (self.reads.load(Ordering::Relaxed), self.writes.load(Ordering::Relaxed)) {
            (true, true) => Condition::Healthy,
            (true, false) => Condition::Degraded,
            (false, _) => Condition::Unhealthy,
        }
    }

    /// Asks the store for ever; NOT_SERVING from `shutdown` on, so that no new calls come.
    pub(crate) async fn follow<E, R, W>(self, checks: (impl Fn() -> R, impl Fn() -> W), shutdown: CancellationToken)
    where
        E: Error + 'static,
        R: Future<Output = Result<(), E>>,
        W: Future<Output = Result<(), E>>,
    {
        let (read, write) = checks;
        let mut late = Late::default();
        while !shutdown.is_cancelled() {
            self.ask((read(), write()), &mut late).await;
            let interval = if self.condition() == Condition::Healthy { INTERVAL } else { INTERVAL_DOWN };
            let _ = tokio::time::timeout(interval, shutdown.cancelled()).await;
        }
        self.reads.store(false, Ordering::Relaxed);
        self.report().await;
    }

    /// Takes note of how one check that reads and one that writes end. To be done once before the port is served, so that
    /// a healthy replica is never seen as anything else.
    pub(crate) async fn ask<E: Error + 'static>(
        &self,
        (read, write): (impl Future<Output = Result<(), E>>, impl Future<Output = Result<(), E>>),
        late: &mut Late,
    ) {
        let (read, write) = tokio::join!(tokio::time::timeout(TIMEOUT, read), tokio::time::timeout(TIMEOUT, write));
        let before = self.condition();
        note(&self.reads, &mut late.read, read, self.name, "read");
        note(&self.writes, &mut late.write, write, self.name, "written to");
        if self.condition() != before {
            self.report().await;
        }
    }

    async fn report(&self) {
        let serves = self.condition() != Condition::Unhealthy;
        let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
        for name in ["", self.name] {
            self.reporter.set_service_status(name, status).await;
        }
    }
}

/// Which of the checks did not end in time when last asked.
#[derive(Debug, Default)]
pub(crate) struct Late {
    read: bool,
    write: bool,
}

type Checked<E> = Result<Result<(), E>, tokio::time::error::Elapsed>;

/// Keeps what a check says about the store, and logs it where it is news.
fn note<E: Error + 'static>(does: &AtomicBool, late: &mut bool, checked: Checked<E>, service: &str, what: &str) {
    let was_late = std::mem::replace(late, checked.is_err());
    let problem = match checked {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(Chain(&error).to_string()),
        Err(_) if !was_late => return,
        Err(_) => Some(format!("no answer within {TIMEOUT:?}, twice")),
    };
    let changed = does.swap(problem.is_none(), Ordering::Relaxed) != problem.is_none();
    match problem {
        None if changed => tracing::info!(service, "the store can be {what}"),
        Some(problem) if changed => tracing::warn!(service, problem, "the store cannot be {what}"),
        _ => {}
    }
}

/// What calls of the replica's own service are let through.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    health: Health,
    /// Names of the methods that are of use on a store that only reads.
    read: Arc<HashSet<String>>,
}

impl Gate {
    pub(crate) fn new(health: Health, own: &[MethodDescriptorProto]) -> Self {
        let read = own.iter().filter(|method| may_do_without_writing(method)).map(|method| method.name().to_owned());
        Self { read: Arc::new(read.collect()), health }
    }

    /// How a call is refused; `None` where it is not.
    fn refusal(&self, path: &str) -> Option<(HeaderValue, &'static str)> {
        let condition = self.health.condition();
        if condition == Condition::Healthy {
            return None;
        }
        let method = path.strip_prefix('/')?.strip_prefix(self.health.name)?.strip_prefix('/')?;
        match condition {
            Condition::Degraded if self.read.contains(method) => None,
            Condition::Degraded => Some((WRITES, "the store cannot be written to at the moment")),
            _ => Some((ALL, "the store is not available at the moment")),
        }
    }
}

/// A method says itself what it does, in the `.proto`; one that says nothing writes. One that is IDEMPOTENT writes only
/// where that was not done before, such as the opening of a wallet by a first look: it finds out by itself.
fn may_do_without_writing(method: &MethodDescriptorProto) -> bool {
    let level = method.options.as_ref().map(|options| options.idempotency_level());
    matches!(level, Some(IdempotencyLevel::NoSideEffects | IdempotencyLevel::Idempotent))
}

/// Middleware: refuses calls of the replica's own service that its store can not serve, instead of letting each find out.
pub(crate) async fn serving(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Some((which, message)) = gate.refusal(request.uri().path()) else { return next.run(request).await };
    let mut response: Response = refuse(CallError::new(errors::UNAVAILABLE, message)).into_http();
    response.headers_mut().insert(NOT_SERVING, which);
    response
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use axum::{Router, body::Body, middleware::from_fn_with_state, routing::post};
    use prost_types::MethodOptions;
    use tower::ServiceExt;

    use super::*;

    type Outcome = Result<(), std::fmt::Error>;

    fn method(name: &str, level: Option<IdempotencyLevel>) -> MethodDescriptorProto {
        let options =
            level.map(|level| MethodOptions { idempotency_level: Some(level.into()), ..MethodOptions::default() });
        MethodDescriptorProto { name: Some(name.to_owned()), options, ..MethodDescriptorProto::default() }
    }

    async fn ask(health: &Health, read: Outcome, write: Outcome) -> Condition {
        health.ask((ready(read), ready(write)), &mut Late::default()).await;
        health.condition()
    }

    #[tokio::test]
    async fn what_the_store_can_not_do_is_refused_and_nothing_else() {
        const PATHS: [&str; 6] =
            ["/a.B/Get", "/a.B/Open", "/a.B/Add", "/a.B/Unheard", "/a.Bc/Add", "/grpc.health.v1.Health/Check"];
        let health = Health::new("a.B").await;
        let methods = [
            method("Get", Some(IdempotencyLevel::NoSideEffects)),
            method("Open", Some(IdempotencyLevel::Idempotent)),
            method("Add", None),
        ];
        let app = PATHS.iter().fold(Router::new(), |app, path| app.route(path, post(async || "done")));
        let app = app.layer(from_fn_with_state(Gate::new(health.clone(), &methods), serving));
        // The first letter of what is refused, by path.
        let refused = async || {
            let mut refused = String::new();
            for path in PATHS {
                let request = Request::post(path).body(Body::empty()).expect("request");
                let answer = app.clone().oneshot(request).await.expect("answers");
                let code = tonic::Status::from_header_map(answer.headers()).map(|status| status.code());
                let which = answer.headers().get(NOT_SERVING).map_or("-", |value| value.to_str().expect("text"));
                assert_eq!(code.is_some(), which != "-");
                refused.push_str(&which[..1]);
            }
            refused
        };
        let broken = Err(std::fmt::Error);
        assert_eq!(refused().await, "aaaa--", "nobody has asked the store yet");
        for (read, write, condition, refusals) in [
            (Ok(()), Ok(()), Condition::Healthy, "------"),
            (Ok(()), broken, Condition::Degraded, "--ww--"),
            (broken, broken, Condition::Unhealthy, "aaaa--"),
            // It has written, who knows what.
            (broken, Ok(()), Condition::Unhealthy, "aaaa--"),
            (Ok(()), Ok(()), Condition::Healthy, "------"),
        ] {
            assert_eq!(ask(&health, read, write).await, condition);
            assert_eq!(refused().await, refusals, "{condition:?}");
        }
    }

    #[tokio::test]
    async fn one_late_answer_says_nothing_and_two_do() {
        let (writes, mut late) = (AtomicBool::new(true), false);
        for (in_time, well) in [(false, true), (true, true), (false, true), (false, false), (true, true), (false, true)]
        {
            let checked = match in_time {
                true => Ok(Outcome::Ok(())),
                false => tokio::time::timeout(Duration::ZERO, pending::<Outcome>()).await,
            };
            note(&writes, &mut late, checked, "a.B", "written to");
            assert_eq!(writes.load(Ordering::Relaxed), well);
        }
    }
}

//! The access log: a line for each request, or for those that failed or were slow.
//!
//! [`crate::observe`] notes what a request came to, what is inside of it notes who called and which replica answered
//! ([`Notes`]), and [`write`] writes the line once the answer is complete: on a thread of its own, since standard error
//! may be slow. Lines that it is too slow for are dropped, and counted: `access_log_dropped_total`.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{body::HttpBody, http::Extensions, response::Response};
use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use http::{HeaderValue, header};
use opentelemetry::metrics::Meter;
use serde::Serialize;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use uuid::Uuid;

/// Lines that wait to be written, at most: some 4 MB.
const QUEUE: usize = 8192;
/// A request that takes as long is worth a line, whatever came of it.
const SLOW: Duration = Duration::from_secs(1);
/// How the balancers of this system ask one another how they are, each second: no request of anybody's.
const HEALTH_CHECKS: &str = "/grpc.health.v1.Health/";
/// Where an answer came from, as the gateway says in a header.
const X_CACHE: &str = "x-cache";

/// Which requests have a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccessLog {
    /// All but health checks.
    All,
    /// Those that were answered with 5xx, or took a second or more.
    Errors,
    Off,
}

/// Where lines go, for the whole process; nowhere before [`start`].
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    which: AccessLog,
    /// For people, not for programs.
    readable: bool,
    lines: NonBlocking,
}

/// Begins to log; what is left is written when the guard is dropped.
pub(crate) fn start(which: AccessLog) -> Option<WorkerGuard> {
    if which == AccessLog::Off {
        return None;
    }
    let builder = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).thread_name("access-log");
    let (lines, guard) = builder.finish(BufWriter::with_capacity(64 * 1024, io::stderr()));
    let _ = LOG.set(Log { which, readable: io::stderr().is_terminal(), lines });
    Some(guard)
}

/// Reports how many lines were dropped, from now on.
pub(crate) fn report(meter: &Meter) {
    let dropped = || LOG.get().map_or(0, |log| log.lines.error_counter().dropped_lines());
    meter
        .u64_observable_counter("access_log_dropped")
        .with_description("Lines of the access log that nobody took in time")
        .with_callback(move |observer| observer.observe(dropped() as u64, &[]))
        .build();
}

/// What is learnt of a request on its way, in its extensions; goes along to the balancer.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Noted>);

#[derive(Debug, Default)]
struct Noted {
    caller: OnceLock<Uuid>,
    attempts: AtomicU32,
    /// Of the last attempt.
    replica: Mutex<Option<Arc<str>>>,
}

impl Notes {
    /// Those of a request, put into its extensions, where it may have a line.
    pub(crate) fn begin(extensions: &mut Extensions, path: &str) -> Option<Self> {
        if LOG.get().is_none() || path.starts_with(HEALTH_CHECKS) {
            return None;
        }
        let notes = Self::default();
        extensions.insert(notes.clone());
        Some(notes)
    }

    /// Takes note of who calls.
    pub fn caller(extensions: &Extensions, id: Uuid) {
        if let Some(Self(noted)) = extensions.get() {
            let _ = noted.caller.set(id);
        }
    }

    /// Takes note of an attempt at a replica.
    pub fn attempt(extensions: &Extensions, replica: &Arc<str>) {
        if let Some(Self(noted)) = extensions.get() {
            noted.attempts.fetch_add(1, Relaxed);
            *noted.replica.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(replica));
        }
    }
}

/// What a request came to, in the answer's extensions until [`write`] finds it there.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) service: &'static str,
    pub(crate) method: &'static str,
    pub(crate) route: Arc<str>,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) request_id: HeaderValue,
    pub(crate) notes: Notes,
}

impl Came {
    /// Leaves itself with the answer if it is worth a line.
    pub(crate) fn note(self, response: &mut Response) {
        let all = LOG.get().is_some_and(|log| log.which == AccessLog::All);
        if all || self.status >= 500 || self.took >= SLOW {
            response.extensions_mut().insert(self);
        }
    }
}

/// A line, in the words of the other logs where they have any.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    target: &'static str,
    service: &'static str,
    method: &'static str,
    route: &'a str,
    status: u16,
    /// Of the answer's body; null where it is not known when it begins (gRPC).
    bytes: Option<u64>,
    /// Until the answer begins.
    duration_us: u64,
    caller: Option<Uuid>,
    replica: Option<&'a str>,
    attempts: u32,
    cache: Option<&'a str>,
    request_id: &'a str,
}

/// To be called with each answer outside of all that changes it: writes its line, if it is to have one.
pub fn write(mut response: Response) -> Response {
    if let Some(came) = response.extensions_mut().remove::<Came>()
        && let Some(log) = LOG.get()
    {
        let line = line(&came, &response, log.readable);
        // It cannot fail: what is too much is dropped, and counted.
        let _ = log.lines.clone().write_all(&line);
    }
    response
}

fn line(came: &Came, response: &Response, readable: bool) -> Vec<u8> {
    let Came { service, method, ref route, status, took, ref request_id, notes: Notes(ref noted) } = *came;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let replica = noted.replica.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let line = Line {
        timestamp: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        level: if status >= 500 { "ERROR" } else { "INFO" },
        target: "access",
        service,
        method,
        route,
        status,
        bytes: response.body().size_hint().exact().or_else(|| header(header::CONTENT_LENGTH.as_str())?.parse().ok()),
        duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        caller: noted.caller.get().copied(),
        replica: replica.as_deref(),
        attempts: noted.attempts.load(Relaxed),
        cache: header(X_CACHE),
        request_id: request_id.to_str().unwrap_or("-"),
    };
    let mut bytes =
        if readable { line.to_string().into_bytes() } else { serde_json::to_vec(&line).unwrap_or_default() };
    bytes.push(b'\n');
    bytes
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { timestamp, level, service, method, route, status, duration_us, request_id, .. } = self;
        let took = Duration::from_micros(*duration_us);
        write!(f, "{timestamp} {level:>5} {service}: {method} {route} {status} in {took:?}")?;
        let or_none = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| format!(" bytes={bytes}"));
        f.write_str(&or_none(self.bytes))?;
        if let Some(caller) = self.caller {
            write!(f, " caller={caller}")?;
        }
        if let Some(replica) = self.replica {
            write!(f, " replica={replica} attempts={}", self.attempts)?;
        }
        if let Some(cache) = self.cache {
            write!(f, " cache={cache}")?;
        }
        write!(f, " request_id={request_id}")
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_line_is_for_programs_or_for_people() {
        let mut extensions = Extensions::new();
        let notes = Notes::default();
        extensions.insert(notes.clone());
        Notes::caller(&extensions, Uuid::nil());
        for replica in ["127.0.0.1:3001", "127.0.0.1:3002"] {
            Notes::attempt(&extensions, &replica.into());
        }
        let came = Came {
            service: "gateway",
            method: "GET",
            route: "/marketplace/list".into(),
            status: 200,
            took: Duration::from_micros(1500),
            request_id: HeaderValue::from_static("id"),
            notes,
        };
        let mut response = Response::new(Body::from("12345"));
        response.headers_mut().insert(X_CACHE, HeaderValue::from_static("MISS"));
        let json: serde_json::Value = serde_json::from_slice(&line(&came, &response, false)).expect("JSON");
        let mut expected = serde_json::json!({
            "level": "INFO", "target": "access", "service": "gateway", "method": "GET", "route": "/marketplace/list",
            "status": 200, "bytes": 5, "duration_us": 1500, "caller": Uuid::nil(), "replica": "127.0.0.1:3002", "attempts": 2,
            "cache": "MISS", "request_id": "id",
        });
        expected["timestamp"] = json["timestamp"].clone();
        assert_eq!(json, expected);
        let text = String::from_utf8(line(&came, &response, true)).expect("text");
        let (_, text) = text.split_once(' ').expect("a time");
        assert_eq!(
            text,
            " INFO gateway: GET /marketplace/list 200 in 1.5ms bytes=5 caller=00000000-0000-0000-0000-000000000000 \
             replica=127.0.0.1:3002 attempts=2 cache=MISS request_id=id\n"
        );
    }
}

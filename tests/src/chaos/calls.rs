//! One call at a gateway, and what holds for the answer to any call.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use client::{Client, Method};
use lab::system::Settings;
use serde_json::Value;

use super::{
    history::History,
    weather::{Place, Weather},
};

/// A whole request takes 10 s at most, says the contract.
const PATIENCE: Duration = Duration::from_secs(11);
/// A fault that is over may be felt for as long: connections that were lost meanwhile are in pools.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What all clients and the checker have in common.
pub(super) struct Run {
    pub(super) settings: Settings,
    /// Gateways by number, through their links.
    pub(super) doors: Vec<std::net::SocketAddr>,
    pub(super) weather: Weather,
    pub(super) history: History,
    /// Ids of items that were for sale.
    pub(super) offers: Mutex<Vec<String>>,
    /// No new calls.
    pub(super) stop: tokio_util::sync::CancellationToken,
}

/// What came back, which has held all that holds for any answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of a problem; empty otherwise.
    pub(super) code: String,
    pub(super) json: Value,
    /// HIT, MISS or BYPASS; empty where the route has no cache.
    pub(super) cache: String,
    pub(super) request: String,
}

impl Answer {
    /// Whether a fault is the reason, and the call may be made again.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self.status, 408 | 503 | 504)
    }
}

/// A request before it is sent.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    pub(super) key: Option<&'a str>,
    /// Past the cache.
    pub(super) fresh: bool,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, body: None, key: None, fresh: false }
    }

    pub(super) fn fresh(path: &'a str) -> Self {
        Self { fresh: true, ..Self::get(path) }
    }

    pub(super) fn post(path: &'a str, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }
}

/// Somebody with a token and connections of their own.
pub(super) struct Caller {
    pub(super) run: Arc<Run>,
    /// Unique in a run; the start of each request's id.
    pub(super) name: String,
    /// One a gateway, over the same connections.
    doors: Vec<Client>,
    calls: u64,
}

impl Caller {
    pub(super) fn new(run: &Arc<Run>, name: String, token: String) -> Self {
        let nobody = Client::new("", PATIENCE).unwrap();
        let caller = if token.is_empty() { nobody } else { nobody.with_token(token) };
        let doors = run.doors.iter().map(|door| caller.at(&format!("http://{door}"))).collect();
        Self { run: Arc::clone(run), name, doors, calls: 0 }
    }

    pub(super) fn violation(&self, what: impl Into<String>) {
        self.run.history.violation(&self.run.weather, what);
    }

    /// The id that the last call was sent with.
    pub(super) fn last_request(&self) -> String {
        format!("{}-{}", self.name, self.calls)
    }

    /// An answer, or none where a fault kept it away.
    pub(super) async fn call(&mut self, door: usize, ask: Ask<'_>) -> Option<Answer> {
        self.calls += 1;
        let id = self.last_request();
        let Ask { method, path, body, key, fresh } = ask;
        let what = format!("{id}: {method} {path}");
        let mut request = self.doors[door].request(method, path).header("x-request-id", &id);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if fresh {
            request = request.header("cache-control", "no-cache");
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let begun = Instant::now();
        let received = async {
            let response = request.send().await?;
            let header =
                |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap_or("")).to_owned();
            let headers = (header("x-request-id"), header("content-type"), header("x-cache"));
            Ok::<_, reqwest::Error>((response.status().as_u16(), headers, response.text().await?))
        };
        match received.await {
            Ok((status, (echoed, kind, cache), text)) => {
                let answer = Answer {
                    status,
                    code: String::new(),
                    json: serde_json::from_str(&text).unwrap_or_default(),
                    cache,
                    request: id,
                };
                let answer = Answer { code: answer.json["code"].as_str().unwrap_or_default().to_owned(), ..answer };
                if let Some(wrong) = out_of_contract(&answer, &echoed, &kind) {
                    self.violation(format!("{what} at gateway-{}: {wrong}: {status} {text}", door + 1));
                }
                Some(answer)
            }
            Err(error) => {
                if self.run.weather.was_calm(Place::Door(door), begun, AFTERMATH) {
                    let took = begun.elapsed();
                    self.violation(format!(
                        "{what}: no answer after {took:?} from gateway-{}, where nothing was wrong: {error:?}",
                        door + 1
                    ));
                }
                None
            }
        }
    }
}

/// What is wrong with an answer, whatever was asked.
fn out_of_contract(answer: &Answer, echoed: &str, kind: &str) -> Option<String> {
    let Answer { status, code, json, request, .. } = answer;
    let is_problem = *status >= 400;
    if echoed != request {
        return Some(format!("expected its request id, not {echoed}"));
    }
    if json.is_null() {
        return Some("expected JSON".to_owned());
    }
    let media_type = if is_problem { "application/problem+json" } else { "application/json" };
    if kind != media_type {
        return Some(format!("expected {media_type}, not {kind}"));
    }
    if is_problem && (json["status"] != *status || json["requestId"] != *request || code.is_empty()) {
        return Some("expected a problem with its status, its request id and a code".to_owned());
    }
    match (status, code.as_str()) {
        (503, "unavailable" | "overloaded" | "outcome_unknown") | (504, "deadline_exceeded") => None,
        (500.., _) => Some("no status and code of the contract".to_owned()),
        _ => None,
    }
}

//! Traces and logs of the launcher as a process of its own, with a collector that is this test.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lab::{
    process::Server,
    system::{READY_FILE, Settings, capsim},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value as AnyValue,
    trace::v1::{Span, span::SpanKind},
};
use serde_json::{Value, json};
use tests::{JWT_KEY, binary};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport};

/// Keeps every span that it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        let spans = resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        self.0.lock().unwrap().extend(spans);
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// A collector and its URL.
    async fn start() -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self::default();
        let server = transport::Server::builder().add_service(TraceServiceServer::new(collector.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (collector, url)
    }

    /// The spans of a trace, by its id in hexadecimal digits.
    fn trace(&self, id: &str) -> Vec<Span> {
        self.0.lock().unwrap().iter().filter(|span| hex(&span.trace_id) == id).cloned().collect()
    }
}

/// `capsim` that logs all that it does.
struct Capsim {
    server: Server,
    http: reqwest::Client,
    _data: tempfile::TempDir,
}

impl Capsim {
    async fn start(collector: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let more = [("RUST_LOG", "info,runtime=debug"), ("OTEL_EXPORTER_OTLP_ENDPOINT", collector)];
        let server = capsim(&Settings::new(&JWT_KEY), data.path(), &more);
        tests::eventually("it serves", async || data.path().join(READY_FILE).exists()).await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, http, _data: data }
    }

    async fn call(&self, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> reqwest::Response {
        let url = format!("http://{}{path}", self.server.address());
        let mut request = match body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).json(&body),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().error_for_status().unwrap()
    }

    async fn bearer(&self) -> String {
        let credentials = json!({"username": "ada", "password": "correct horse"});
        self.call("/auth/register", Some(credentials.clone()), &[]).await;
        let login: Value = self.call("/auth/login", Some(credentials), &[]).await.json().await.unwrap();
        format!("Bearer {}", login["token"].as_str().unwrap())
    }

    /// Ends it as Ctrl-C would; what it has logged.
    async fn stop(mut self) -> Vec<Value> {
        self.server.stop().await;
        // The guide, for people, is not in JSON.
        let log = self.server.log();
        let lines = log.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(span: &Span) -> HashMap<&str, String> {
    let text = |value: &AnyValue| match value {
        AnyValue::StringValue(text) => text.clone(),
        AnyValue::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = span.attributes.iter();
    pairs.map(|pair| (pair.key.as_str(), text(pair.value.as_ref().unwrap().value.as_ref().unwrap()))).collect()
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// The paths of the requests that a log tells of with this trace and request id, in any order.
fn logged(logs: &[Value], trace: &str, request: &str) -> Vec<String> {
    let of_request =
        logs.iter().filter(|line| line["span"]["request_id"] == request && line["span"]["trace_id"] == trace);
    of_request.map(|line| line["span"]["path"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_caller_through_gateway_and_replica_to_the_store() {
    let (collector, url) = Collector::start().await;
    let capsim = Capsim::start(&url).await;
    let bearer = capsim.bearer().await;
    let parent = traceparent();
    let headers = [("authorization", bearer.as_str()), ("traceparent", &parent), ("x-request-id", "listing-1")];
    capsim.call("/marketplace/list", None, &headers).await;
    // No wait for a batch: the end of a process sends what is left.
    let logs = capsim.stop().await;

    let spans = collector.trace(TRACE);
    let told: Vec<_> = spans.iter().map(|span| (&*span.name, attributes(span))).collect();
    assert_eq!(spans.len(), 4, "{told:#?}");
    let mut parent = CALLER.to_owned();
    for (name, kind, attribute, value) in [
        ("GET /marketplace/list", SpanKind::Server, "service", "gateway"),
        ("capsim.marketplace.v1.Marketplace/ListItems", SpanKind::Client, "rpc.grpc.status_code", "0"),
        ("POST /capsim.marketplace.v1.Marketplace/ListItems", SpanKind::Server, "service", "marketplace"),
        ("items.list", SpanKind::Client, "db.system.name", "sqlite"),
    ] {
        let span = spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {told:#?}"));
        assert_eq!(span.kind, kind as i32, "{name}");
        assert_eq!(hex(&span.parent_span_id), parent, "{name}: {told:#?}");
        assert_eq!(attributes(span)[attribute], value, "{name}: {told:#?}");
        if kind == SpanKind::Server {
            assert_eq!(attributes(span)["http.response.status_code"], "200", "{name}: {told:#?}");
        }
        parent = hex(&span.span_id);
    }
    let paths = logged(&logs, TRACE, "listing-1");
    for path in ["/marketplace/list", "/capsim.marketplace.v1.Marketplace/ListItems"] {
        assert!(paths.iter().any(|logged| logged == path), "{path}: {logs:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_begins_here_is_one_too_and_in_the_log() {
    let (collector, url) = Collector::start().await;
    let capsim = Capsim::start(&url).await;
    let bearer = capsim.bearer().await;
    let headers = [("authorization", bearer.as_str()), ("x-request-id", "post-1")];
    // A write, which has a task of its own.
    capsim.call("/discourse/channel", Some(json!({"name": "Gold bugs"})), &headers).await;
    for path in ["/status", "/metrics"] {
        capsim.call(path, None, &[]).await;
    }
    let logs = capsim.stop().await;

    let line = logs.iter().find(|line| line["span"]["request_id"] == "post-1").expect("is logged");
    let spans = collector.trace(line["span"]["trace_id"].as_str().unwrap());
    let mut names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "POST /capsim.discourse.v1.Discourse/CreateChannel",
            "POST /discourse/channel",
            "capsim.discourse.v1.Discourse/CreateChannel",
            "channels.create",
        ]
    );
    assert_eq!(spans.iter().filter(|span| span.parent_span_id.is_empty()).count(), 1);
    // Health checks and scrapes make no traces.
    let all = collector.0.lock().unwrap();
    assert!(all.iter().all(|span| !["Health", "/metrics", "/status"].iter().any(|noise| span.name.contains(noise))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_does_not_sample_is_not_traced() {
    let (collector, url) = Collector::start().await;
    let capsim = Capsim::start(&url).await;
    let bearer = capsim.bearer().await;
    let parent = format!("00-{TRACE}-{CALLER}-00");
    let headers = [("authorization", bearer.as_str()), ("traceparent", &parent), ("x-request-id", "quiet-1")];
    capsim.call("/marketplace/list", None, &headers).await;
    let logs = capsim.stop().await;
    assert_eq!(collector.trace(TRACE), []);
    assert!(!collector.0.lock().unwrap().is_empty(), "the others are");
    // In the logs, the caller's trace is named all the same.
    assert!(logged(&logs, TRACE, "quiet-1").len() >= 2, "{logs:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_callers_trace_is_passed_on_and_logged() {
    let capsim = Capsim::start("").await;
    let bearer = capsim.bearer().await;
    let parent = traceparent();
    let headers = [("authorization", bearer.as_str()), ("traceparent", &parent), ("x-request-id", "listing-2")];
    capsim.call("/marketplace/list", None, &headers).await;
    let logs = capsim.stop().await;
    let paths = logged(&logs, TRACE, "listing-2");
    for path in ["/marketplace/list", "/capsim.marketplace.v1.Marketplace/ListItems"] {
        assert!(paths.iter().any(|logged| logged == path), "{path}: {logs:#?}");
    }
    assert!(logs.iter().all(|line| line["span"].get("otel.name").is_none()), "{logs:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_costs_one_line_in_the_log() {
    // Bound and dropped: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let capsim = Capsim::start(&format!("http://{nobody}")).await;
    let bearer = capsim.bearer().await;
    // Batches go every second: this makes several.
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        capsim.call("/marketplace/list", None, &[("authorization", &bearer)]).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stopping = Instant::now();
    let logs = capsim.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
    let complaints: Vec<_> = logs.iter().filter(|line| line["level"] == "WARN" || line["level"] == "ERROR").collect();
    assert_eq!(complaints.len(), 1, "{complaints:#?}");
    assert!(complaints[0]["message"].as_str().unwrap().contains("collector"), "{complaints:#?}");
}

/// In one thread, whoever waits for the collector must not be who talks to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_one_thread_sends_what_is_left_when_it_stops() {
    let (collector, url) = Collector::start().await;
    let mut gateway = Command::new(binary("gateway"))
        .args(["--host=127.0.0.1", "--port=0", "--worker-threads=1"])
        .env("JWT_KEY", JWT_KEY.as_str())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut logs = BufReader::new(gateway.stderr.take().unwrap()).lines().map(Result::unwrap);
    let up: Value = serde_json::from_str(&logs.find(|line| line.contains("listening")).unwrap()).unwrap();
    let list = format!("http://{}/marketplace/list", up["address"].as_str().unwrap());
    let refused = reqwest::Client::new().get(list).header("traceparent", traceparent()).send().await.unwrap();
    assert_eq!(refused.status(), 401);

    let stopping = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &gateway.id().to_string()]).status().unwrap().success());
    assert!(gateway.wait().unwrap().success());
    assert!(stopping.elapsed() < Duration::from_secs(2), "{:?}", stopping.elapsed());
    assert_eq!(collector.trace(TRACE).len(), 1);
}

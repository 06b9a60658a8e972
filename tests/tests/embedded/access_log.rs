//! The access log of processes of their own.

use std::net::SocketAddr;

use lab::{
    process::{Program, Run},
    system::{READY_FILE, Settings, capsim},
};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{JWT_KEY, Server, binary, eventually};

/// A process whose log is kept in a file.
struct Process {
    server: Server,
    http: Client,
    _directory: TempDir,
}

impl Process {
    /// Everything in one process.
    async fn capsim(access_log: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = capsim(&Settings::new(&JWT_KEY), directory.path(), &[("ACCESS_LOG", access_log)]);
        eventually("it serves", async || directory.path().join(READY_FILE).exists()).await;
        Self { server, http: Client::new(), _directory: directory }
    }

    /// A gateway whose replicas nobody has started.
    async fn gateway(access_log: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment = [
            ("ACCESS_LOG", access_log),
            ("JWT_KEY", JWT_KEY.as_str()),
            ("ACCOUNTS_REPLICAS", "127.0.0.1:1"),
            ("MARKETPLACE_REPLICAS", "127.0.0.1:1"),
            ("DISCOURSE_REPLICAS", "127.0.0.1:1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (path, log) = (binary("gateway"), directory.path().join("log"));
        let program = Program { path, environment, port_variable: "PORT", log };
        let server = Server::start("gateway-1".to_owned(), Run::Process(program));
        eventually("it listens", async || server.log().contains(r#""message":"listening""#)).await;
        Self { server, http: Client::new(), _directory: directory }
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The lines of requests, with the ids that this test gave them, but for when they were.
    fn accesses(&self) -> Vec<Value> {
        let is_access = |line: &Value| line["target"] == "access";
        let is_ours = |line: &Value| line["request_id"].as_str().unwrap().starts_with("test-");
        let log = self.server.log();
        // The guide of capsim, for people, is not in JSON.
        let lines = log.lines().filter(|line| line.starts_with('{'));
        let lines = lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
        lines.filter(|line| is_access(line) && is_ours(line)).collect()
    }

    async fn get(&self, path: &str, id: &str, token: &str) -> (u16, String) {
        let request = self.http.get(format!("http://{}{path}", self.address())).header("x-request-id", id);
        let answer = request.bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("http://{}{path}", self.address())).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn every_request_has_a_line_that_says_what_it_was_and_came_to() {
    let mut capsim = Process::capsim("all").await;
    let credentials = json!({"username": "ada", "password": "correct horse"});
    let ada = capsim.post("/auth/register", &credentials).await["id"].clone();
    let token = capsim.post("/auth/login", &credentials).await["token"].as_str().unwrap().to_owned();
    let (_, page) = capsim.get("/marketplace/list?tag=secret", "test-miss", &token).await;
    capsim.get("/marketplace/list?tag=secret", "test-hit", &token).await;
    let (_, refusal) = capsim.get("/marketplace/list", "test-refused", "nonsense").await;
    capsim.get("/nowhere/at/all", "test-nowhere", &token).await;
    // What was not written yet is written at the end.
    capsim.server.stop().await;

    let lines = capsim.accesses();
    let of = |service: &str, id: &str| -> Value {
        let mut found = lines.iter().filter(|line| line["service"] == service && line["request_id"] == id);
        let line = found.next().unwrap_or_else(|| panic!("{service} {id}: {lines:?}")).clone();
        assert!(found.next().is_none(), "{service} {id}: more than one line");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line["duration_us"].as_u64().unwrap() > 0);
        line
    };
    let miss = of("gateway", "test-miss");
    assert_eq!(
        (&miss["method"], &miss["route"], &miss["status"]),
        (&json!("GET"), &json!("/marketplace/list"), &json!(200))
    );
    assert_eq!((&miss["cache"], &miss["attempts"], &miss["caller"]), (&json!("MISS"), &json!(1), &ada));
    assert_eq!(miss["bytes"], page.len());
    assert!(miss["replica"].as_str().unwrap().starts_with("127.0.0.1:"));
    let at_replica = of("marketplace", "test-miss");
    assert_eq!(at_replica["route"], "/capsim.marketplace.v1.Marketplace/ListItems");
    let hit = of("gateway", "test-hit");
    assert_eq!((&hit["cache"], &hit["attempts"], &hit["replica"]), (&json!("HIT"), &json!(0), &Value::Null));
    let refused = of("gateway", "test-refused");
    assert_eq!(
        (&refused["status"], &refused["bytes"], &refused["caller"]),
        (&json!(401), &json!(refusal.len()), &Value::Null)
    );
    let nowhere = of("gateway", "test-nowhere");
    assert_eq!((&nowhere["route"], &nowhere["status"]), (&json!("unmatched"), &json!(404)));
    let log = capsim.server.log();
    assert!(!log.contains("secret") && !log.contains(&token), "what a caller wrote is not logged");
    assert!(!log.contains("grpc.health"), "health checks are nobody's requests");
}

#[tokio::test]
async fn by_default_only_failures_have_a_line_and_off_is_off() {
    for (access_log, expected) in [("errors", 1), ("off", 0)] {
        let mut gateway = Process::gateway(access_log).await;
        assert_eq!(gateway.get("/", "test-good", "").await.0, 200);
        assert_eq!(gateway.get("/marketplace/list", "test-refused", "nonsense").await.0, 401);
        assert_eq!(gateway.get("/status", "test-failed", "").await.0, 503);
        gateway.server.stop().await;
        let lines = gateway.accesses();
        assert_eq!(lines.len(), expected, "{access_log}: {lines:?}");
        for line in lines {
            assert_eq!(
                (&line["request_id"], &line["status"], &line["level"]),
                (&json!("test-failed"), &json!(503), &json!("ERROR"))
            );
        }
    }
}

//! A disk that is full, and one that has lost what it should keep: nothing is lost or called healthy that is not.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
};

use client::Method;
use proto::errors;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tests::{binary, eventually};

use crate::{crash::Http, process::Process};

impl Process {
    /// No file of it may grow past so many bytes, as on a full disk.
    fn limit_files(&self, bytes: &str) {
        let mut limit = Command::new("prlimit");
        limit.arg(format!("--pid={}", self.child.id())).arg(format!("--fsize={bytes}:"));
        assert!(limit.status().unwrap().success());
    }

    async fn get(&self, http: &Http, path: &str, token: &str) -> Response {
        http.at(self.gateway, token).request(Method::GET, path).send().await.unwrap()
    }

    async fn status(&self, http: &Http) -> (StatusCode, Value) {
        let answer = self.get(http, "/status", "").await;
        (answer.status(), answer.json().await.unwrap())
    }

    /// What `/status` of a service's first replica says.
    async fn replica(&self, http: &Http, service: &str) -> (StatusCode, Value) {
        let (_, status) = self.status(http).await;
        let address = status["services"][service]["replicas"][0]["address"].as_str().unwrap();
        let answer = http.at(address.parse().unwrap(), "").request(Method::GET, "/status").send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

fn item(description: &str) -> Value {
    json!({"name": "n", "description": description, "category": "asset", "price": 1})
}

#[tokio::test]
async fn on_a_full_disk_reads_are_served_writes_refused_and_health_says_so() {
    let data = tempfile::tempdir().unwrap();
    // Whoever ignores the signal gets an error from the write instead.
    let ignoring = r#"trap "" XFSZ; exec "$0" "$@""#;
    let process = Process::run(Command::new("sh").args(["-c", ignoring]).arg(binary("capsim")), data.path());
    let (http, at) = (Http::new(), process.gateway);
    let token = http.token(at, "ada").await;
    http.post(at, "/marketplace/item", &token, &item("before")).await.unwrap();
    assert_eq!(process.replica(&http, "marketplace").await.1["status"], "healthy");

    process.limit_files("0");
    eventually("health knows", async || process.replica(&http, "marketplace").await.1["status"] == "degraded").await;
    let (code, replica) = process.replica(&http, "discourse").await;
    assert_eq!(code, StatusCode::OK);
    eventually("the gateway knows", async || {
        let (code, status) = process.status(&http).await;
        code == StatusCode::OK
            && ["marketplace", "discourse"].iter().all(|service| status["services"][service]["status"] == "degraded")
    })
    .await;
    assert!(replica["reason"].is_null() || replica["reason"] == "the store cannot be written to", "{replica}");
    for n in 0..6 {
        let list = process.get(&http, &format!("/marketplace/list?limit={}", n + 1), &token).await;
        assert_eq!(list.status(), StatusCode::OK);
        assert_eq!(list.json::<Value>().await.unwrap()["items"][0]["description"], "before");
        let wallet = process.get(&http, "/marketplace/wallet", &token).await;
        assert_eq!(wallet.status(), StatusCode::OK, "she has one: nothing is written");
        let write = http.post(at, "/marketplace/item", &token, &item("meanwhile")).await.unwrap_err();
        assert!(write.is(errors::UNAVAILABLE), "{write:?}");
    }

    process.limit_files("unlimited");
    eventually("all is well again", async || process.status(&http).await.1["status"] == "healthy").await;
    http.post(at, "/marketplace/item", &token, &item("after")).await.unwrap();
    let list: Value = process.get(&http, "/marketplace/list", &token).await.json().await.unwrap();
    assert_eq!(list["pagination"]["total"], 2);
}

#[tokio::test]
async fn a_damaged_file_is_no_bug_and_no_health() {
    let data = tempfile::tempdir().unwrap();
    let http = Http::new();
    let mut process = Process::start(data.path());
    let token = http.token(process.gateway, "ada").await;
    for _ in 0..60 {
        http.post(process.gateway, "/marketplace/item", &token, &item(&"x".repeat(5000))).await.unwrap();
    }
    // A process that ends by itself leaves everything in the one file.
    assert!(Command::new("kill").args(["-INT", &process.child.id().to_string()]).status().unwrap().success());
    tokio::task::spawn_blocking(move || process.child.wait().unwrap()).await.unwrap();
    damage(&data.path().join("marketplace.db"));

    let process = Process::start(data.path());
    let list = process.get(&http, "/marketplace/list?limit=100", &token).await;
    assert_eq!(list.status(), StatusCode::SERVICE_UNAVAILABLE, "a damaged file is no bug of ours");
    eventually("health knows", async || process.replica(&http, "marketplace").await.1["status"] == "degraded").await;
    let write = http.post(process.gateway, "/marketplace/item", &token, &item("d")).await.unwrap_err();
    assert!(write.is(errors::UNAVAILABLE), "nothing is added to it: {write:?}");
    assert_eq!(process.replica(&http, "discourse").await.1["status"], "healthy", "that is another file");
}

/// Overwrites whole pages behind the middle of the file, where the listings are.
fn damage(file: &Path) {
    const PAGE: u64 = 4096;
    let pages = fs::metadata(file).unwrap().len() / PAGE;
    let (first, last) = (pages * 6 / 10, pages * 8 / 10);
    let file = File::options().write(true).open(file).unwrap();
    file.write_all_at(&vec![0xA5; usize::try_from((last - first) * PAGE).unwrap()], first * PAGE).unwrap();
}

//! `kill -9` in the middle of everything, with the launcher as a process of its own.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use client::{Client, Error, body::Credentials};
use lab::{
    catalogue::{REPLICAS, SERVICES},
    system::{READY_FILE, Settings, capsim},
};
use serde_json::{Value, json};
use tests::{JWT_KEY, Server, binary};

/// A launcher that has its data in a directory, and serves.
async fn start(directory: &Path) -> Server {
    let capsim = capsim(&Settings::new(&JWT_KEY), directory, &[]);
    tests::eventually("it serves", async || directory.join(READY_FILE).exists()).await;
    capsim
}

/// What has no whole answer by then never will.
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct horse";

/// Connections to gateways whose addresses come and go.
#[derive(Clone)]
pub(crate) struct Http(Client);

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::new("", PATIENCE).unwrap())
    }

    pub(crate) fn at(&self, at: SocketAddr, token: &str) -> Client {
        self.0.at(&format!("http://{at}")).with_token(token)
    }

    pub(crate) async fn post(&self, at: SocketAddr, path: &str, token: &str, body: &Value) -> Result<Value, Error> {
        self.at(at, token).post(path, body, None).await
    }

    async fn get(&self, at: SocketAddr, path: &str, token: &str) -> Value {
        self.at(at, token).get(path).await.unwrap()
    }

    pub(crate) async fn token(&self, at: SocketAddr, username: &str) -> String {
        self.at(at, "").register(&Credentials::new(username, PASSWORD)).await.unwrap();
        self.login(at, username).await
    }

    async fn login(&self, at: SocketAddr, username: &str) -> String {
        self.at(at, "").login(&Credentials::new(username, PASSWORD)).await.unwrap().token
    }
}

/// USD of a wallet, in cents.
fn cents(wallet: &Value) -> i64 {
    let balances = wallet["balances"].as_array().unwrap();
    let usd = balances.iter().find(|balance| balance["currency"] == "USD").unwrap();
    (usd["balance"].as_f64().unwrap() * 100.0).round() as i64
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9_and_what_was_not_is_whole_or_not_at_all() {
    let data = tempfile::tempdir().unwrap();
    let http = Http::new();
    let mut process = start(data.path()).await;
    let at = process.address();
    let (seller, buyer) = (http.token(at, "seller").await, http.token(at, "buyer").await);
    let item = json!({"name": "n", "description": "d", "category": "asset", "price": 1});

    // Several at once, so that the kill falls into the middle of a commit.
    let bought = Arc::new(Mutex::new(Vec::new()));
    let traders = (0..4).map(|_| {
        let (http, seller, buyer, item, bought) =
            (http.clone(), seller.clone(), buyer.clone(), item.clone(), bought.clone());
        tokio::spawn(async move {
            while let Ok(item) = http.post(at, "/marketplace/item", &seller, &item).await {
                let purchase = json!({"itemId": item["_id"]});
                let Ok(purchase) = http.post(at, "/marketplace/purchase", &buyer, &purchase).await else { break };
                bought.lock().unwrap().push(purchase);
            }
        })
    });
    let traders: Vec<_> = traders.collect();
    tests::eventually("trade is brisk", async || bought.lock().unwrap().len() >= 40).await;
    process.kill().await;
    for trader in traders {
        trader.await.unwrap();
    }

    process.revive();
    tests::eventually("it serves again", async || process.is_ready().await).await;
    // The key and the users outlived it, and so the tokens.
    let wallet = http.get(at, "/marketplace/wallet", &buyer).await;
    let spent = 100_000_000 - cents(&wallet);
    let earned = cents(&http.get(at, "/marketplace/wallet", &seller).await) - 100_000_000;
    assert_eq!(spent, earned, "money moved wholly or not at all");
    let sold = http.get(at, "/marketplace/list?status=sold&limit=1", &buyer).await;
    assert_eq!(sold["pagination"]["total"].as_i64().unwrap() * 100, spent, "every sold item was paid once");

    let acknowledged = bought.lock().unwrap().clone();
    assert!(spent >= acknowledged.len() as i64 * 100, "nothing acknowledged is lost");
    for purchase in acknowledged {
        let path = format!("/marketplace/item/{}", purchase["item"]["_id"].as_str().unwrap());
        let page = http.get(at, &path, &buyer).await;
        assert_eq!((&page["status"], &page["transactionHistory"]), (&json!("sold"), &json!([purchase["transaction"]])));
    }
    http.login(at, "buyer").await;
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let data = tempfile::tempdir().unwrap();
    let output = Command::new(binary("capsim"))
        .arg("--data-dir")
        .arg(data.path())
        .arg(format!("--gateway-port={}", address.port()))
        .arg("--web-port=0")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn nothing_is_said_to_run_that_does_not() {
    let data = tempfile::tempdir().unwrap();
    // All ports can be had, and all stores but the accounts'.
    std::fs::create_dir(data.path().join("accounts.db")).unwrap();
    let output = Command::new(binary("capsim"))
        .arg("--data-dir")
        .arg(data.path())
        .args([
            "--gateway-port=0",
            "--web-port=0",
            "--accounts-ports=0",
            "--marketplace-ports=0",
            "--discourse-ports=0",
        ])
        .output()
        .unwrap();
    let [said, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(!output.status.success() && said.is_empty(), "{said}");
    assert!(error.contains("accounts.db"), "{error}");
}

#[tokio::test]
async fn the_ready_file_says_where_everything_is_until_it_stops() {
    let data = tempfile::tempdir().unwrap();
    let mut process = start(data.path()).await;
    let ready = std::fs::read(data.path().join(READY_FILE)).unwrap();
    let ready: Value = serde_json::from_slice(&ready).unwrap();
    assert_eq!(ready["gateway"], format!("http://{}", process.address()));
    let listens = |place: &Value| std::net::TcpStream::connect(place.as_str().unwrap().trim_start_matches("http://"));
    let replicas = ready["replicas"].as_object().unwrap();
    assert_eq!(replicas.len(), SERVICES.len() * REPLICAS);
    for place in replicas.values().chain([&ready["web"]]) {
        assert!(listens(place).is_ok(), "{place}");
    }
    process.stop().await;
    assert!(!data.path().join(READY_FILE).exists(), "what stopped is not ready");
}

#[tokio::test]
async fn a_bad_setting_is_named_with_what_it_should_be() {
    for (variable, value, hint) in [
        ("CACHE_TTL", "soon", "0 to 86400"),
        ("OPENING_BALANCE", "-1", "OPENING_BALANCE"),
        ("RUST_LOG", "a=b=c", "RUST_LOG"),
        ("JWT_KEY", "-hunter2", "capsim keys"),
        ("READY_FILE", "/nowhere/ready.json", "READY_FILE must be in a directory that exists"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let output = Command::new(binary("capsim"))
            .env(variable, value)
            .arg("--data-dir")
            .arg(data.path())
            .args([
                "--gateway-port=0",
                "--web-port=0",
                "--accounts-ports=0",
                "--marketplace-ports=0",
                "--discourse-ports=0",
            ])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(hint), "{variable}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

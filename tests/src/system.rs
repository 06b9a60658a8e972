//! A whole system: gateway and three replicas of each service.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use gateway::{Settings, Stores, config::Options};
use serde_json::json;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Client, User},
    replica::{Replica, Service},
};

/// The secret that a test system signs its tokens with.
pub const JWT_SECRET: &str = "a secret that only tests may know";

/// What a test wants otherwise than usual.
pub struct SystemBuilder {
    options: Options,
    opening_balance: i64,
}

impl SystemBuilder {
    /// Seconds; 0 turns the cache off.
    pub fn cache_ttl(mut self, seconds: u64) -> Self {
        self.options.cache_ttl = Duration::from_secs(seconds);
        self
    }

    /// Calls a second a caller; 0 is no limit.
    pub fn rate_limit(mut self, calls: u32) -> Self {
        self.options.rate_limit = calls;
        self
    }

    /// Calls a minute to `/auth`; 0 is no limit.
    pub fn auth_rate_limit(mut self, calls: u32) -> Self {
        self.options.auth_rate_limit = calls;
        self
    }

    /// Whole units of each currency.
    pub fn opening_balance(mut self, units: i64) -> Self {
        self.opening_balance = units;
        self
    }

    /// Starts the system; every replica is up when this returns.
    pub async fn start(self) -> System {
        let directory = tempfile::tempdir().unwrap();
        let economy = marketplace::config::Options { opening_balance: self.opening_balance };
        let items = marketplace::store::embedded::Embedded::open(directory.path(), &economy).unwrap();
        let items: Arc<dyn marketplace::store::Store> = Arc::new(items);
        let channels = discourse::store::embedded::Embedded::open(directory.path()).unwrap();
        let replicas = |service: &str, store: Service| -> Vec<Replica> {
            (1..=3).map(|number| Replica::start(format!("{service}-{number}"), store.clone())).collect()
        };
        let marketplace = replicas("marketplace", Service::Marketplace(Arc::clone(&items)));
        let discourse = replicas("discourse", Service::Discourse(Arc::new(channels)));
        let addresses = |replicas: &[Replica]| replicas.iter().map(|replica| replica.address().into()).collect();
        let settings = Settings {
            instance: "gateway-1".to_owned(),
            marketplace_replicas: addresses(&marketplace),
            discourse_replicas: addresses(&discourse),
            jwt_secret: JWT_SECRET.to_owned().into(),
            password_rounds: 1000,
            options: self.options,
            stores: Stores::Embedded { data_dir: directory.path().to_owned() },
        };
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(gateway::serve(listener, settings, shutdown.clone()));
        let client = Client::new(gateway);
        let system =
            System { marketplace, discourse, items, gateway, client, shutdown, serving, _directory: directory };
        system.all_up().await;
        system
    }
}

/// A system under test; dropping it ends everything at once.
pub struct System {
    pub marketplace: Vec<Replica>,
    pub discourse: Vec<Replica>,
    /// For looking at the ledger from behind.
    pub items: Arc<dyn marketplace::store::Store>,
    pub gateway: SocketAddr,
    client: Client,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    _directory: TempDir,
}

impl System {
    /// A system with cache, without rate limits.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    pub fn builder() -> SystemBuilder {
        let options = Options {
            jwt_ttl: Duration::from_secs(3600),
            cache_ttl: Duration::from_secs(60),
            rate_limit: 0,
            auth_rate_limit: 0,
            trusted_proxies: Vec::new(),
        };
        SystemBuilder { options, opening_balance: 1_000_000 }
    }

    /// Somebody without a token.
    pub fn anybody(&self) -> User {
        self.client.user(None)
    }

    /// Somebody with this token.
    pub fn bearer(&self, token: &str) -> User {
        self.client.user(Some(token.to_owned()))
    }

    /// Registers a user and logs in.
    pub async fn user(&self, username: &str) -> User {
        let credentials = json!({"username": username, "password": "correct horse"});
        let registered = self.anybody().post("/auth/register", &credentials).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let login = self.anybody().post("/auth/login", &credentials).await;
        assert_eq!(login.status, 200, "{login:?}");
        let mut user = self.bearer(login.json["token"].as_str().unwrap());
        user.id = login.json["user_id"].as_str().unwrap().to_owned();
        user
    }

    /// Waits until the gateway sees every replica.
    pub async fn all_up(&self) {
        eventually("all replicas are up", async || {
            let answer = self.anybody().get("/status").await;
            answer.json["status"] == "healthy"
        })
        .await;
    }

    /// Calls that each replica of a service got from the gateway, in the order of the replicas.
    pub async fn calls(&self, service: &str) -> Vec<u64> {
        let status = self.anybody().get("/status").await;
        let replicas = status.json["services"][service]["replicas"].as_array().unwrap().clone();
        replicas.iter().map(|replica| replica["calls"].as_u64().unwrap()).collect()
    }

    /// Asks the gateway to stop, and waits until it has.
    pub async fn stop_gateway(&mut self) {
        self.shutdown.cancel();
        (&mut self.serving).await.unwrap().unwrap();
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Polls until `condition` holds; panics after 20 seconds.
pub async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < patience, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

//! A database server of one's own, to be stopped, frozen and started again on the same data.

use std::{
    fs::{self, File, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    process::{reserve, signal},
    within,
};

/// For a server to be installed, to recover and to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What state is kept in on the full stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    MongoDb,
    PostgreSql,
    Redis,
    /// Of the log of events.
    RabbitMq,
}

impl StoreKind {
    pub const ALL: [Self; 4] = [Self::MongoDb, Self::PostgreSql, Self::Redis, Self::RabbitMq];

    /// What `scripts/with-backends` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MongoDb => "mongodb",
            Self::PostgreSql => "postgres",
            Self::Redis => "redis",
            Self::RabbitMq => "rabbitmq",
        }
    }

    /// The variable with which a process is told of it.
    pub fn variable(self) -> &'static str {
        match self {
            Self::MongoDb => "MONGODB_URI",
            Self::PostgreSql => "DATABASE_URL",
            Self::Redis => "REDIS_URL",
            Self::RabbitMq => "AMQP_URL",
        }
    }

    /// The one that a process is told of with this variable.
    pub fn told_by(variable: &str) -> Self {
        let kind = Self::ALL.into_iter().find(|kind| kind.variable() == variable);
        kind.unwrap_or_else(|| panic!("there is no store that {variable} tells of"))
    }

    /// The URL of one of [`StoreServer`]'s at this address: of the server itself, or of a way to it.
    pub fn url(self, address: SocketAddr) -> String {
        match self {
            // Whatever the server calls itself, this address is the way to it.
            Self::MongoDb => format!("mongodb://{address}/capsim?directConnection=true"),
            Self::PostgreSql => format!("postgres://postgres@{address}/postgres"),
            Self::Redis => format!("redis://{address}"),
            Self::RabbitMq => format!("amqp://guest:guest@{address}"),
        }
    }
}

/// A server that is not started yet, or runs, or was stopped.
pub struct StoreServer {
    kind: StoreKind,
    /// Data and log.
    directory: TempDir,
    address: SocketAddr,
    _reservation: TcpSocket,
    child: Option<Child>,
}

impl StoreServer {
    /// One that is not there yet, but will be at its address.
    pub fn absent(kind: StoreKind) -> Self {
        let (address, reservation) = reserve();
        Self { kind, directory: tempfile::tempdir().unwrap(), address, _reservation: reservation, child: None }
    }

    pub async fn running(kind: StoreKind) -> Self {
        let mut server = Self::absent(kind);
        server.start().await;
        server
    }

    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a database on it.
    pub fn url(&self) -> String {
        self.kind.url(self.address)
    }

    /// Starts it, and returns when it accepts connections.
    pub async fn start(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/with-backends");
        let data = self.directory.path().join("data");
        fs::create_dir_all(&data).unwrap();
        // PostgreSQL's own account must get there.
        fs::set_permissions(self.directory.path(), Permissions::from_mode(0o755)).unwrap();
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let child = Command::new(script)
            .args(["--serve", self.kind.name()])
            .arg(data)
            .arg(self.address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        let listens = async || TcpStream::connect(self.address).await.is_ok();
        within(PATIENCE, "the store's server listens", listens).await;
    }

    /// Ends it as a crash would, so that it has to recover when it starts again.
    pub async fn crash(&mut self) {
        let mut child = self.child.take().unwrap();
        match self.kind {
            // PostgreSQL's own "immediate shutdown": a killed postmaster would leave its children behind.
            StoreKind::PostgreSql => signal("QUIT", &child),
            StoreKind::MongoDb | StoreKind::Redis | StoreKind::RabbitMq => child.kill().unwrap(),
        }
        tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    }

    /// Stops it in its tracks: connections stay, and nothing answers.
    pub fn freeze(&self) {
        signal("STOP", self.child.as_ref().unwrap());
    }

    pub fn thaw(&self) {
        signal("CONT", self.child.as_ref().unwrap());
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            match self.kind {
                StoreKind::PostgreSql => signal("QUIT", &child),
                StoreKind::MongoDb | StoreKind::Redis | StoreKind::RabbitMq => child.kill().unwrap_or_default(),
            }
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("--- {:?}\n{log}", self.kind);
        }
    }
}

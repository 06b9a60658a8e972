//! A database server of a test's own, to be stopped, frozen and started again on the same data.

use std::{
    fs::{self, File, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    Databases,
    server::{reserve, signal},
    system::eventually,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    MongoDb,
    PostgreSql,
    Redis,
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

    /// Starts it, and returns when it accepts connections.
    pub async fn start(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/with-backends");
        let name = match self.kind {
            StoreKind::MongoDb => "mongodb",
            StoreKind::PostgreSql => "postgres",
            StoreKind::Redis => "redis",
        };
        let data = self.directory.path().join("data");
        fs::create_dir_all(&data).unwrap();
        // PostgreSQL's own account must get there.
        fs::set_permissions(self.directory.path(), Permissions::from_mode(0o755)).unwrap();
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let child = Command::new(script)
            .args(["--serve", name])
            .arg(data)
            .arg(self.address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
        eventually("the store's server listens", async || TcpStream::connect(self.address).await.is_ok()).await;
    }

    /// Ends it as a crash would, so that it has to recover when it starts again.
    pub async fn crash(&mut self) {
        let mut child = self.child.take().unwrap();
        match self.kind {
            // PostgreSQL's own "immediate shutdown": a killed postmaster would leave its children behind.
            StoreKind::PostgreSql => signal("QUIT", &child),
            StoreKind::MongoDb | StoreKind::Redis => child.kill().unwrap(),
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

    pub(crate) fn take_place_in(&self, databases: &mut Databases) {
        let address = self.address;
        match self.kind {
            StoreKind::MongoDb => databases.mongodb_uri = format!("mongodb://{address}/capsim"),
            StoreKind::PostgreSql => databases.database_url = format!("postgres://postgres@{address}/postgres"),
            StoreKind::Redis => databases.redis_url = format!("redis://{address}"),
        }
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            match self.kind {
                StoreKind::PostgreSql => signal("QUIT", &child),
                StoreKind::MongoDb | StoreKind::Redis => child.kill().unwrap_or_default(),
            }
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("--- {:?}\n{log}", self.kind);
        }
    }
}

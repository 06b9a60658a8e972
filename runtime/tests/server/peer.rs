//! A server with limits of its own, and peers that say what no client library would.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use runtime::{
    metrics::Metrics,
    server::{self, Limits},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longer than anything takes here, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _ends: DropGuard,
}

/// Limits that a test need not wait long for.
pub(crate) fn short() -> Limits {
    Limits {
        first_request: Duration::from_millis(300),
        idle: Duration::from_millis(400),
        progress: Duration::from_millis(400),
        ..Limits::default()
    }
}

pub(crate) async fn serve(app: Router, limits: Limits) -> Server {
    serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), app, limits)
}

pub(crate) fn serve_on(listener: TcpListener, app: Router, limits: Limits) -> Server {
    counted(listener, app, limits).0
}

/// A server, and what it counts.
pub(crate) fn counted(listener: TcpListener, app: Router, limits: Limits) -> (Server, Metrics) {
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let metrics = Metrics::new("test").unwrap();
    tokio::spawn(server::serve(listener, app, metrics.clone(), limits, shutdown.clone()));
    (Server::new(address, shutdown), metrics)
}

impl Server {
    pub(crate) fn new(address: SocketAddr, shutdown: CancellationToken) -> Self {
        Self { address, _ends: shutdown.drop_guard() }
    }
}

/// One end of a connection.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    /// One whose kernel takes next to nothing that it does not read.
    pub(crate) async fn narrow(server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self(socket.connect(server.address).await.unwrap())
    }

    pub(crate) async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Everything until the server closes; also what was there before a reset.
    pub(crate) async fn hear(&mut self) -> String {
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count) = timeout(PATIENCE, self.0.read(&mut buffer)).await.expect("it closes") {
            if count == 0 {
                break;
            }
            heard.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// One answer, as far as its head.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.expect("it answers").unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// One answer with its body, whose length it says.
    pub(crate) async fn answer(&mut self) -> (String, Vec<u8>) {
        let head = self.head().await;
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        timeout(PATIENCE, self.0.read_exact(&mut body)).await.expect("it answers").unwrap();
        (head, body)
    }

    /// `GET` of a path.
    pub(crate) async fn get(&mut self, path: &str) {
        self.say(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }
}

/// Polls until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let patience = tokio::time::Instant::now() + PATIENCE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < patience, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

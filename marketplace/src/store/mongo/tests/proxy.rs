//! A way to the server that can be cut and mended.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    server: String,
    forwarding: JoinHandle<()>,
}

impl Proxy {
    /// A way from a free port to `server`, a host with its port.
    pub(super) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let forwarding = tokio::spawn(forward(listener, server.clone()));
        Self { address, server, forwarding }
    }

    /// Closes all connections, and refuses new ones.
    pub(super) async fn cut(&mut self) {
        self.forwarding.abort();
        let _ = (&mut self.forwarding).await;
    }

    pub(super) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("binds again");
        self.forwarding = tokio::spawn(forward(listener, self.server.clone()));
    }
}

async fn forward(listener: TcpListener, server: String) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let server = server.clone();
        connections.spawn(async move {
            let mut far = TcpStream::connect(server).await?;
            copy_bidirectional(&mut near, &mut far).await
        });
    }
}

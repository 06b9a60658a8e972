//! A way to the server that can be cut and mended, and that can hold commands, or answer them in the server's stead.

use std::{io, net::SocketAddr, sync::Arc};

use bson::Document;
use futures_util::future::BoxFuture;
use tokio::{
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
    task::{JoinHandle, JoinSet},
};

use super::wire::Message;

/// What becomes of a command: the answer to it, or `None` for the server to say. It is held as long as this takes.
pub(super) type Fault = Arc<dyn Fn(Document) -> BoxFuture<'static, Option<Document>> + Send + Sync>;

pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    server: String,
    fault: Fault,
    forwarding: JoinHandle<()>,
}

impl Proxy {
    /// A way from a free port to `server`, a host with its port.
    pub(super) async fn to(server: String) -> Self {
        Self::with(server, |_| None).await
    }

    /// One that answers commands itself where `fault` has an answer.
    pub(super) async fn with(
        server: String,
        fault: impl Fn(&Document) -> Option<Document> + Send + Sync + 'static,
    ) -> Self {
        Self::holding(server, Arc::new(move |command| Box::pin(std::future::ready(fault(&command))))).await
    }

    /// One where `fault` may take its time.
    pub(super) async fn holding(server: String, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let forwarding = tokio::spawn(forward(listener, server.clone(), Arc::clone(&fault)));
        Self { address, server, fault, forwarding }
    }

    /// Closes all connections, and refuses new ones.
    pub(super) async fn cut(&mut self) {
        self.forwarding.abort();
        let _ = (&mut self.forwarding).await;
    }

    pub(super) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("binds again");
        self.forwarding = tokio::spawn(forward(listener, self.server.clone(), Arc::clone(&self.fault)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.forwarding.abort();
    }
}

async fn forward(listener: TcpListener, server: String, fault: Fault) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let (server, fault) = (server.clone(), Arc::clone(&fault));
        connections.spawn(async move {
            let (near, far) = (near.into_split(), TcpStream::connect(server).await?.into_split());
            let to_client = Mutex::new(near.1);
            // Either end that goes takes the other one with it.
            tokio::select! {
                ended = commands(near.0, far.1, &to_client, fault) => ended,
                ended = answers(far.0, &to_client) => ended,
            }
        });
    }
}

async fn commands(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    to_client: &Mutex<OwnedWriteHalf>,
    fault: Fault,
) -> io::Result<()> {
    loop {
        let message = Message::read(&mut from).await?;
        let answer = match message.body() {
            Some(command) => fault(command).await,
            None => None,
        };
        match answer {
            Some(answer) => message.answer(&answer).write(&mut *to_client.lock().await).await?,
            None => message.write(&mut to).await?,
        }
    }
}

async fn answers(mut from: OwnedReadHalf, to_client: &Mutex<OwnedWriteHalf>) -> io::Result<()> {
    loop {
        Message::read(&mut from).await?.write(&mut *to_client.lock().await).await?;
    }
}

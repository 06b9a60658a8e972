//! A way to the server that can be cut and mended, and that can hold commands, or answer them in the server's stead.
//!
//! What it does by itself is what mongod does and the tests' server does not: of an aborted transaction nothing is done any
//! more, although a command that was cut off may come, or be under way, when its abort comes on another connection.

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc};

use bson::{Binary, Document, doc};
use futures_util::future::BoxFuture;
use tokio::{
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, OwnedRwLockReadGuard, RwLock},
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

/// Of each transaction whether it was aborted: by its session, and its number there. A command has it to read until it is
/// answered, an abort has it to write.
#[derive(Default)]
struct Transactions(std::sync::Mutex<HashMap<(Vec<u8>, i64), Arc<RwLock<bool>>>>);

impl Transactions {
    /// The one that `command` is of.
    fn of(&self, command: &Document) -> Option<Arc<RwLock<bool>>> {
        let Binary { bytes: session, .. } = command.get_document("lsid").ok()?.get("id").and_then(binary)?;
        let number = command.get_i64("txnNumber").ok()?;
        Some(Arc::clone(self.0.lock().expect("lock").entry((session, number)).or_default()))
    }
}

fn binary(value: &bson::Bson) -> Option<Binary> {
    if let bson::Bson::Binary(binary) = value { Some(binary.clone()) } else { None }
}

fn no_such_transaction() -> Document {
    let labels = ["TransientTransactionError"];
    doc! { "ok": 0, "code": 251, "codeName": "NoSuchTransaction", "errmsg": "was aborted", "errorLabels": labels }
}

async fn forward(listener: TcpListener, server: String, fault: Fault) {
    let transactions = Arc::<Transactions>::default();
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let (server, fault, transactions) = (server.clone(), Arc::clone(&fault), Arc::clone(&transactions));
        connections.spawn(async move {
            let (near, mut far) = (near.into_split(), TcpStream::connect(server).await?.into_split());
            let (to_client, under_way) = (Mutex::new(near.1), UnderWay::default());
            // Either end that goes takes the other one with it.
            let ended = tokio::select! {
                ended = commands(near.0, far.1, &to_client, fault, &transactions, &under_way) => ended,
                ended = answers(&mut far.0, &to_client, &under_way) => ended,
            };
            // The client has gone, but the server is still at it.
            if under_way.lock().await.is_some() {
                Message::read(&mut far.0).await?;
            }
            ended
        });
    }
}

/// What the server has to answer on a connection; the driver asks one thing at a time.
type UnderWay = Mutex<Option<OwnedRwLockReadGuard<bool>>>;

async fn commands(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    to_client: &Mutex<OwnedWriteHalf>,
    fault: Fault,
    transactions: &Transactions,
    under_way: &UnderWay,
) -> io::Result<()> {
    loop {
        let message = Message::read(&mut from).await?;
        let answer = match message.body() {
            Some(command) => match transactions.of(&command) {
                Some(transaction) if command.contains_key("abortTransaction") => {
                    *transaction.write().await = true;
                    fault(command).await
                }
                Some(transaction) => {
                    let aborted = transaction.read_owned().await;
                    if *aborted {
                        Some(no_such_transaction())
                    } else {
                        *under_way.lock().await = Some(aborted);
                        fault(command).await
                    }
                }
                None => fault(command).await,
            },
            None => None,
        };
        match answer {
            Some(answer) => {
                *under_way.lock().await = None;
                message.answer(&answer).write(&mut *to_client.lock().await).await?;
            }
            None => message.write(&mut to).await?,
        }
    }
}

async fn answers(from: &mut OwnedReadHalf, to_client: &Mutex<OwnedWriteHalf>, under_way: &UnderWay) -> io::Result<()> {
    loop {
        let answer = Message::read(from).await?;
        *under_way.lock().await = None;
        answer.write(&mut *to_client.lock().await).await?;
    }
}

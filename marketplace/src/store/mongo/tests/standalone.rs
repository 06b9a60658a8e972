//! As much of a mongod outside a replica set as it takes to be refused: it greets, and does nothing else.

use std::{io, net::SocketAddr};

use bson::{Document, doc};
use tokio::net::{TcpListener, TcpStream};

use super::wire::Message;

/// Serves as long as the test's runtime runs.
pub(super) async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let asked = Message::read(&mut stream).await?;
        asked.answer(&answer(&asked.body().expect("a command"))).write(&mut stream).await?;
    }
}

fn answer(command: &Document) -> Document {
    if ["hello", "isMaster", "ismaster"].iter().any(|name| command.contains_key(name)) {
        return doc! {
            "ok": 1, "helloOk": true, "isWritablePrimary": true, "ismaster": true,
            "minWireVersion": 0, "maxWireVersion": 21, "logicalSessionTimeoutMinutes": 30,
            "maxBsonObjectSize": 16_777_216, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
        };
    }
    if command.contains_key("ping") {
        return doc! { "ok": 1 };
    }
    let message = "Transaction numbers are only allowed on a replica set member or mongos";
    doc! { "ok": 0, "code": 20, "codeName": "IllegalOperation", "errmsg": message }
}

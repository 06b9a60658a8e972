//! As much of a mongod outside a replica set as it takes to be refused: it greets, and does nothing else.

use std::{io, net::SocketAddr};

use bson::{Document, doc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The operation code of a message:
/// <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#op_msg>.
const OP_MSG: i32 = 2013;
/// Bytes of length, request id, id that is answered, and operation code.
const HEADER: usize = 16;
/// Bytes of flags, and of the kind of the one section that follows.
const BEFORE_BODY: usize = 5;

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
        let length = usize::try_from(stream.read_i32_le().await?).expect("length");
        let id = stream.read_i32_le().await?;
        let mut rest = vec![0; length - 2 * size_of::<i32>()];
        stream.read_exact(&mut rest).await?;
        let body = &rest[HEADER - 2 * size_of::<i32>() + BEFORE_BODY..];
        let answer = answer(&Document::from_reader(body).expect("a command")).to_vec().expect("bytes");

        let length = i32::try_from(HEADER + BEFORE_BODY + answer.len()).expect("short");
        let mut reply: Vec<u8> = [length, 0, id, OP_MSG].into_iter().flat_map(i32::to_le_bytes).collect();
        reply.extend([0; BEFORE_BODY]);
        reply.extend(answer);
        stream.write_all(&reply).await?;
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

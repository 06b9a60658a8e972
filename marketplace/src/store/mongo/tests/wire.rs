//! As much of MongoDB's wire protocol as the tests' own servers speak: one document a message.
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

use std::io;

use bson::Document;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The operation code of a message.
const OP_MSG: i32 = 2013;
/// Bytes of length, request id, id that is answered, and operation code.
const HEADER: usize = 16;
/// Bytes of flags, and of the kind of the first section.
const BEFORE_BODY: usize = 5;

/// A message as it came.
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let length = from.read_i32_le().await?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.resize(usize::try_from(length).expect("a length"), 0);
        from.read_exact(&mut bytes[size_of::<i32>()..]).await?;
        Ok(Self(bytes))
    }

    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        to.write_all(&self.0).await
    }

    /// The command or its answer; documents to insert are not in it. `None` where it is no such message.
    pub(super) fn body(&self) -> Option<Document> {
        let body = self.0.get(HEADER + BEFORE_BODY..)?;
        (self.number(12) == OP_MSG).then(|| Document::from_reader(body).expect("a document"))
    }

    /// The answer to this message.
    pub(super) fn answer(&self, body: &Document) -> Self {
        let body = body.to_vec().expect("bytes");
        let length = i32::try_from(HEADER + BEFORE_BODY + body.len()).expect("short");
        let mut bytes: Vec<u8> = [length, 0, self.number(4), OP_MSG].into_iter().flat_map(i32::to_le_bytes).collect();
        bytes.extend([0; BEFORE_BODY]);
        bytes.extend(body);
        Self(bytes)
    }

    fn number(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.0[at..at + size_of::<i32>()].try_into().expect("four bytes"))
    }
}

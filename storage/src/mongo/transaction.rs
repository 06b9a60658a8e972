//! One transaction, from its beginning to its end. Whoever was thrown back begins again from the first read.

use mongodb::{
    Client, ClientSession,
    error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
    options::{ReadConcern, TransactionOptions, WriteConcern},
};

use super::TIMEOUT;

/// Begins a transaction, which reads of one moment (`snapshot`) and is acknowledged when most members have it on disk
/// (`majority`). Each of its operations must name the session.
pub async fn begin(client: &Client) -> Result<ClientSession, crate::Error> {
    let mut session = client.start_session().await?;
    let options = TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .write_concern(WriteConcern::majority())
        .max_commit_time(TIMEOUT)
        .build();
    // Sends nothing: where it fails, the driver has no server. (It says "not supported by this deployment" then.)
    let begun = session.start_transaction().with_options(options).await;
    begun.map_err(|error| crate::Error::Unavailable(error.into()))?;
    Ok(session)
}

/// Commits it where `work` has an outcome, else gives it up.
pub async fn end<T, E: From<Error>>(session: &mut ClientSession, work: Result<T, E>) -> Result<T, E> {
    match work {
        Ok(outcome) => Ok(commit(session).await.map(|()| outcome)?),
        Err(halt) => {
            // Where this fails too, the server gives up the transaction by itself.
            let _ = session.abort_transaction().await;
            Err(halt)
        }
    }
}

async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    loop {
        match session.commit_transaction().await {
            // It may be committed. To ask again is safe, the server knows the transaction by its number.
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {}
            ended => return ended,
        }
    }
}

/// Whether the server gave up a transaction for another one's sake: all of it is to be tried again. (A server that was
/// looked for in vain is not looked for again.)
pub fn is_thrown_back(error: &Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR) && !matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

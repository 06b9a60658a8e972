//! Why a store did not do its work: the same two kinds on every store.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::{readiness::NotReady, sqlite};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What diesel has no kind for, by PostgreSQL's words, since diesel does not tell the SQLSTATE: 57P01 and 57P02 (the
/// server stops), 57014 (a statement took too long), 40P01 and 53100.
const TRANSIENT: [&str; 4] =
    ["terminating connection", "canceling statement", "deadlock detected", "No space left on device"];

/// Why a store did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Trying again later may help.
    #[error("the store is not available")]
    Unavailable(#[source] Cause),
    /// A bug, or a damaged store.
    #[error("the store failed")]
    Failed(#[source] Cause),
}

impl Error {
    /// A stored value that no version of this code has written.
    pub fn damaged(value: impl Into<Cause>) -> Self {
        Self::Failed(value.into())
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind::{
            ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand, Unknown,
        };

        let transient = match &error {
            // A server is read-only while it is a standby.
            DieselError::DatabaseError(
                ClosedConnection | ReadOnlyTransaction | SerializationFailure | UnableToSendCommand,
                _,
            ) => true,
            DieselError::DatabaseError(Unknown, info) => TRANSIENT.iter().any(|words| info.message().contains(words)),
            _ => false,
        };
        let transient = transient || sqlite::error::trouble(&error).is_some();
        if transient { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}

impl From<sqlite::Error> for Error {
    fn from(error: sqlite::Error) -> Self {
        if error.is_unavailable() { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}

impl From<NotReady> for Error {
    fn from(problem: NotReady) -> Self {
        Self::Unavailable(problem.into())
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(cause) => Self::unavailable("the store", cause),
            Error::Failed(cause) => Self::internal(cause),
        }
    }
}

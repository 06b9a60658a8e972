//! What the driver's errors mean.

use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure};

/// Errors of the server by number: <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>.
const DUPLICATE_KEY: i32 = 11000;
/// Of servers that step down, shut down, catch up, are too busy or have no space left; also of what took too long.
const PASSING: [i32; 16] = [6, 7, 24, 50, 64, 89, 91, 112, 189, 9001, 10107, 11600, 11602, 13435, 13436, 14031];

/// Whether a unique index refused an insertion.
pub fn is_duplicate_key(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(error) => error.write_errors.iter().flatten().any(|error| error.code == DUPLICATE_KEY),
        _ => false,
    }
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let passing = match &*error.kind {
            ErrorKind::Authentication { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. } => true,
            ErrorKind::Command(command) => PASSING.contains(&command.code),
            ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
            _ => [TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT]
                .iter()
                .any(|label| error.contains_label(label)),
        };
        if passing { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}

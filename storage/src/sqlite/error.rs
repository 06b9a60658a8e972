//! What SQLite's errors mean.

use std::{error::Error as StdError, path::PathBuf};

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why the embedded database did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open {path}: {cause}")]
    Open { path: PathBuf, cause: String },
    #[error("query failed")]
    Query(#[from] DieselError),
    #[error("the write was not committed")]
    NotCommitted,
    #[error("the database could not run the query")]
    Closed,
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

impl Error {
    /// Whether trying again may help, later or after an operator has looked at it: somebody else held the lock too long,
    /// the disk is full, the file cannot be read or is damaged, the process is stopping.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Open { .. } | Self::NotCommitted | Self::Closed | Self::Damaged(_) => true,
            Self::Query(error) => trouble(error).is_some(),
        }
    }
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        if error.is_unavailable() { Self::unavailable("the store", error) } else { Self::internal(error) }
    }
}

/// What is wrong with the file or its disk, as opposed to the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Busy,
    /// The disk is full, or does not do what it should.
    Disk,
    /// What is in the file is no database.
    Damage,
}

/// diesel has no kinds for these and keeps no code, only SQLite's text: `sqlite3ErrStr` in its `main.c`.
pub(crate) fn trouble(error: &DieselError) -> Option<Trouble> {
    const TEXTS: [(&str, Trouble); 10] = [
        ("database is locked", Trouble::Busy),
        ("database table is locked", Trouble::Busy),
        ("database or disk is full", Trouble::Disk),
        ("disk I/O error", Trouble::Disk),
        ("attempt to write a readonly database", Trouble::Disk),
        ("unable to open database file", Trouble::Disk),
        ("locking protocol", Trouble::Busy),
        ("database disk image is malformed", Trouble::Damage),
        ("malformed database schema", Trouble::Damage),
        ("file is not a database", Trouble::Damage),
    ];
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
            let message = info.message();
            TEXTS.iter().find(|(text, _)| message.contains(text)).map(|(_, trouble)| *trouble)
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => trouble(commit_error),
        // A transaction that SQLite gave up by itself, as it does on a full disk.
        DieselError::BrokenTransactionManager => Some(Trouble::Disk),
        _ => None,
    }
}

/// The same of an error that has SQLite's somewhere among its causes.
pub(super) fn trouble_in(error: &(dyn StdError + 'static)) -> Option<Trouble> {
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(found) = error.downcast_ref().and_then(trouble) {
            return Some(found);
        }
        link = error.source();
    }
    None
}

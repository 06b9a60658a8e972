//! Leases in the file, for all processes that have it open.

use std::time::Duration;

use async_trait::async_trait;

use super::{Sqlite, statements as flavour};
use crate::{
    Error,
    lease::{Leases, Token},
    sql::immediately,
};

#[path = "../lease/statements.rs"]
pub(super) mod statements;

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL,
     token INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

#[async_trait]
impl Leases for Sqlite {
    async fn acquire(&self, name: &'static str, holder: &str, term: Duration) -> Result<Option<Token>, Error> {
        let holder = holder.to_owned();
        self.write(move |connection| Ok(immediately(statements::acquire(connection, name, holder, term))?)).await
    }

    async fn renew(&self, name: &'static str, token: Token, term: Duration) -> Result<bool, Error> {
        self.write(move |connection| Ok(immediately(statements::renew(connection, name, token, term))?)).await
    }

    async fn release(&self, name: &'static str, token: Token) -> Result<(), Error> {
        self.write(move |connection| Ok(immediately(statements::release(connection, name, token))?)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel_migrations::EmbeddedMigrations;

    use super::*;
    use crate::{
        DataDir,
        lease::{
            Fenced,
            contract::{Fresh, Guarded, lease_contract},
        },
    };

    #[async_trait]
    impl Guarded for Sqlite {
        async fn passes(&self, name: &'static str, token: Token) -> bool {
            let fence = self.write(move |c| Ok::<_, Error>(immediately(statements::fence(c, name, token))?));
            fence.await.expect("answers") != Err(Fenced)
        }
    }

    async fn fresh() -> Fresh {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), true).expect("shared");
        let open = || Arc::new(Sqlite::open(&data_dir, "test.db", EmbeddedMigrations::new(&[])).expect("opens"));
        Fresh { one: open(), other: open(), store: open(), _keep: Box::new(directory) }
    }

    lease_contract!(fresh);
}

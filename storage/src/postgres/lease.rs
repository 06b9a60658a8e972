//! Leases in the service's schema. They are kept on connections that no call waits for: load is not to hand them on.

use std::time::Duration;

use async_trait::async_trait;

use super::{Postgres, bounded, statements as flavour};
use crate::{
    Error,
    lease::{Leases, Token},
};

#[path = "../lease/statements.rs"]
pub(super) mod statements;

/// Room for the new version of each second, so that no index is touched (HOT).
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL,
     token BIGINT NOT NULL, expires_at BIGINT NOT NULL) WITH (fillfactor = 50)";

#[async_trait]
impl Leases for Postgres {
    async fn acquire(&self, name: &'static str, holder: &str, term: Duration) -> Result<Option<Token>, Error> {
        let holder = holder.to_owned();
        bounded(async { Ok(statements::acquire(&mut *self.check().await?, name, holder, term).await?) }).await
    }

    async fn renew(&self, name: &'static str, token: Token, term: Duration) -> Result<bool, Error> {
        bounded(async { Ok(statements::renew(&mut *self.check().await?, name, token, term).await?) }).await
    }

    async fn release(&self, name: &'static str, token: Token) -> Result<(), Error> {
        bounded(async { Ok(statements::release(&mut *self.check().await?, name, token).await?) }).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel_async::AsyncConnection;
    use diesel_migrations::EmbeddedMigrations;

    use super::*;
    use crate::{
        lease::contract::{Fresh, Guarded, lease_contract},
        postgres::scratch::Database,
    };

    #[async_trait]
    impl Guarded for Postgres {
        async fn passes(&self, name: &'static str, token: Token) -> bool {
            let mut connection = self.connection().await.expect("connects");
            let fence = connection.transaction(async |c| Ok::<_, Error>(statements::fence(c, name, token).await?));
            fence.await.expect("answers").is_ok()
        }
    }

    async fn fresh() -> Fresh {
        let database = Database::create().await;
        let migrations = || EmbeddedMigrations::new(&[]);
        let open = || Arc::new(Postgres::connect("test", "test", &database.url(), migrations).expect("a URL"));
        Fresh { one: open(), other: open(), store: open(), _keep: Box::new(database) }
    }

    lease_contract!(fresh);

    #[tokio::test]
    async fn a_holder_that_is_frozen_in_a_transaction_locks_nobody_out_for_good() {
        let database = Database::create().await;
        let open =
            || Postgres::connect("test", "test", &database.url(), || EmbeddedMigrations::new(&[])).expect("a URL");
        let (one, other) = (open(), open());
        let frozen = one.acquire("work", "one", Duration::from_millis(100)).await.expect("answers").expect("is free");
        let mut connection = one.connection().await.expect("connects");
        diesel_async::SimpleAsyncConnection::batch_execute(&mut *connection, "BEGIN").await.expect("begins");
        statements::fence(&mut connection, "work", frozen).await.expect("answers").expect("has it");
        let handed_on = async {
            // Whoever asks waits for the row, and is told after 4 s that it takes too long.
            loop {
                if let Ok(Some(token)) = other.acquire("work", "other", Duration::from_secs(60)).await {
                    return token;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let next = tokio::time::timeout(Duration::from_secs(30), handed_on).await.expect("in time");
        assert!(next > frozen);
        diesel_async::SimpleAsyncConnection::batch_execute(&mut *connection, "COMMIT").await.expect_err("was ended");
    }
}

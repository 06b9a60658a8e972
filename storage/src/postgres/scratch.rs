//! A database for one test, on the server whose administrator's URL is `TEST_DATABASE_URL`.

use tokio_postgres::NoTls;
use uuid::Uuid;

/// It goes when this does.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// One that is not there yet.
    pub fn named() -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            panic!("TEST_DATABASE_URL is not set: `make test` starts a throw-away PostgreSQL and sets it");
        };
        Self { server, name: format!("test_{}", Uuid::new_v4().simple()) }
    }

    pub async fn create() -> Self {
        let database = Self::named();
        database.administer(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// The server's URL with this database in it.
    pub fn url(&self) -> String {
        let (place, options) = self.server.split_once('?').map_or((&*self.server, None), |(at, rest)| (at, Some(rest)));
        let (server, _) = place.rsplit_once('/').expect("TEST_DATABASE_URL names a database");
        format!("{server}/{}{}", self.name, options.map_or_else(String::new, |options| format!("?{options}")))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends all its sessions.
    pub async fn terminate(&self) {
        let Self { name, .. } = self;
        self.administer(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
            .await;
    }

    /// Executes statements from outside of the database.
    pub async fn administer(&self, sql: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.server, NoTls).await.expect("TEST_DATABASE_URL connects");
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.expect("executes");
        drop(client);
        connection.await.expect("no panic").expect("closes");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = async { self.administer(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await };
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        // Not on this thread: it is in a runtime already.
        std::thread::scope(|scope| scope.spawn(|| runtime().block_on(drop)).join()).expect("dropped");
    }
}

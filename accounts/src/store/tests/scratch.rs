//! A database of PostgreSQL for one test.

use tokio_postgres::NoTls;
use uuid::Uuid;

/// It goes when this does.
pub(super) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(super) async fn create() -> Self {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            panic!("TEST_DATABASE_URL is not set: `make test` starts a throw-away PostgreSQL and sets it");
        };
        let database = Self { server, name: format!("test_{}", Uuid::new_v4().simple()) };
        database.administer(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// The server's URL with this database in it.
    pub(super) fn url(&self) -> String {
        let (place, options) = self.server.split_once('?').map_or((&*self.server, None), |(at, rest)| (at, Some(rest)));
        let (server, _) = place.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}{}", self.name, options.map_or_else(String::new, |options| format!("?{options}")))
    }

    async fn administer(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.server, NoTls).await.expect("connects");
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

//! A database of its own on each of the servers that the test command has started, for one system.

use fred::interfaces::{ClientLike, LuaInterface};
use lab::{
    stores::{StoreKind, StoreServer},
    system::Wiring,
};
use uuid::Uuid;

/// Deletes all keys that begin with ARGV[1].
const DELETE: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";

/// Where a system keeps its data. Databases on shared servers go when this does.
#[derive(Debug)]
pub struct Databases {
    pub(crate) mongodb_uri: String,
    database_url: String,
    redis_url: String,
    redis_prefix: String,
    /// Where it is empty the log is embedded: a broker has one for all.
    amqp_url: String,
    name: String,
    /// Administrator's URL of the shared PostgreSQL.
    postgres: String,
}

impl Databases {
    pub async fn create() -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let (postgres, mongodb) = (given("TEST_DATABASE_URL"), given("TEST_MONGODB_URI"));
        execute(&postgres, &format!("CREATE DATABASE {name}")).await.expect("TEST_DATABASE_URL can create databases");
        Self {
            mongodb_uri: with_database(&mongodb, &name),
            database_url: with_database(&postgres, &name),
            redis_url: given("TEST_REDIS_URL"),
            redis_prefix: format!("{name}:"),
            amqp_url: String::new(),
            name,
            postgres,
        }
    }

    /// Likewise, but that one store is a server of the test's own.
    pub async fn with(server: &StoreServer) -> Self {
        let mut databases = Self::create().await;
        *databases.url(server.kind()) = server.url();
        databases
    }

    fn url(&mut self, kind: StoreKind) -> &mut String {
        match kind {
            StoreKind::MongoDb => &mut self.mongodb_uri,
            StoreKind::PostgreSql => &mut self.database_url,
            StoreKind::Redis => &mut self.redis_url,
            StoreKind::RabbitMq => &mut self.amqp_url,
        }
    }

    async fn drop_all(&self) -> anyhow::Result<()> {
        execute(&self.postgres, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await?;
        let mongodb = mongodb::Client::with_uri_str(given("TEST_MONGODB_URI")).await?;
        mongodb.database(&self.name).drop().await?;
        let redis = fred::types::Builder::from_config(fred::types::config::Config::from_url(&given("TEST_REDIS_URL"))?)
            .build()?;
        redis.init().await?;
        Ok(redis.eval::<(), _, _, _>(DELETE, (), self.redis_prefix.as_str()).await?)
    }
}

impl Wiring for Databases {
    fn store(&mut self, _: &str, kind: StoreKind) -> Vec<(String, String)> {
        let url = self.url(kind).clone();
        vec![(kind.variable().to_owned(), url), ("REDIS_PREFIX".to_owned(), self.redis_prefix.clone())]
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Not on this thread: it is in a runtime already.
        let dropped = std::thread::scope(|scope| scope.spawn(|| runtime().block_on(self.drop_all())).join());
        // Not asserted: a test that has failed is to say why itself.
        if let Ok(Err(error)) = dropped {
            eprintln!("cannot drop {}: {error:#}", self.name);
        }
    }
}

fn given(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: `make test` starts a throw-away server and sets it"))
}

/// A URL of a server with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (place, options) =
        url.split_once('?').map_or((url, String::new()), |(place, rest)| (place, format!("?{rest}")));
    let authority = place.find("://").map_or(0, |at| at + 3);
    let end = place[authority..].find('/').map_or(place.len(), |at| authority + at);
    format!("{}/{name}{options}", &place[..end])
}

async fn execute(url: &str, sql: &str) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await?;
    drop(client);
    Ok(connection.await??)
}

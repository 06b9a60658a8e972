//! Connections: how they are made and kept, how a broken one is found, and what their errors mean.

use std::{sync::Arc, time::Duration};

use diesel::{ConnectionError, ConnectionResult, result::Error as DieselError};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, PoolError, PoolableConnection, RecyclingMethod, bb8,
    },
};
use kernel::PoolState;
use tokio::{sync::watch, time::timeout};
use tokio_postgres::{Config, NoTls};

use crate::Error;

/// Connections of one store at most: with those of its health's check, those of three replicas are a third of what
/// PostgreSQL allows by default.
pub(super) const MAX_CONNECTIONS: u32 = 10;
/// How long a call waits for a connection while all are busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// A server that takes longer to greet a new connection counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub type Connection<'a> = bb8::PooledConnection<'a, AsyncPgConnection>;

/// A bounded pool of connections to one database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub(super) struct Pool {
    connections: bb8::Pool<AsyncPgConnection>,
    max: u32,
    failures: Failures,
}

impl Pool {
    /// A pool of at most `max` connections, which connects when it is first asked.
    pub(super) fn new(config: Config, max: u32) -> Self {
        let config = Arc::new(config);
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |_| Box::pin(connect(Arc::clone(&config))));
        // No round trip for each call: that a server is gone shows on the idle connection itself, which is replaced.
        manager.recycling_method = RecyclingMethod::CustomFunction(Box::new(|connection| {
            let broken = connection.is_broken();
            Box::pin(async move { if broken { Err(DieselError::BrokenTransactionManager) } else { Ok(()) } })
        }));
        let failures = Failures(watch::Sender::default());
        let connections = bb8::Pool::builder()
            .max_size(max)
            .connection_timeout(BUSY_TIMEOUT)
            .retry_connection(false)
            .error_sink(Box::new(failures.clone()))
            // The URL is in `config`.
            .build_unchecked(AsyncDieselConnectionManager::new_with_config("", manager));
        Self { connections, max, failures }
    }

    /// A connection that was not broken a moment ago; `Unavailable` at once where none can be made, and after
    /// [`BUSY_TIMEOUT`] where all are busy.
    pub(super) async fn get(&self) -> Result<Connection<'_>, Error> {
        let mut failures = self.failures.0.subscribe();
        // The pool itself would wait for its timeout, whatever happens to the connection that it is waiting for.
        let none_left = async {
            loop {
                match failures.changed().await {
                    Ok(()) if self.connections.state().connections > 0 => {}
                    _ => return failures.borrow().clone(),
                }
            }
        };
        tokio::select! {
            connection = self.connections.get() => connection.map_err(|error| Error::Unavailable(error.into())),
            failure = none_left => Err(Error::Unavailable(failure.into())),
        }
    }

    pub(super) fn state(&self) -> PoolState {
        let state = self.connections.state();
        let (open, idle) = (u64::from(state.connections), u64::from(state.idle_connections));
        PoolState { in_use: open.saturating_sub(idle), idle, max: self.max.into() }
    }

    /// A connection that is the caller's own and is closed when dropped.
    pub(super) async fn dedicated(&self) -> Result<AsyncPgConnection, PoolError> {
        self.connections.dedicated_connection().await
    }
}

/// Tells those who wait for a connection why the last one could not be made.
#[derive(Clone, Debug)]
struct Failures(watch::Sender<String>);

impl ::bb8::ErrorSink<PoolError> for Failures {
    fn sink(&self, error: PoolError) {
        // The other errors are of old connections, which are replaced.
        if let PoolError::ConnectionError(error) = error {
            self.0.send_replace(error.to_string());
        }
    }

    fn boxed_clone(&self) -> Box<dyn ::bb8::ErrorSink<PoolError>> {
        Box::new(self.clone())
    }
}

/// Connects, within [`CONNECT_TIMEOUT`] with the greetings, which tokio-postgres' own timeout does not cover.
pub(super) async fn connect(config: Arc<Config>) -> ConnectionResult<AsyncPgConnection> {
    let greet = async {
        let (client, connection) =
            config.connect(NoTls).await.map_err(|error| ConnectionError::BadConnection(told_in_full(error)))?;
        AsyncPgConnection::try_from_client_and_connection(client, connection).await
    };
    let late = |_| Err(ConnectionError::BadConnection(format!("the server did not greet within {CONNECT_TIMEOUT:?}")));
    timeout(CONNECT_TIMEOUT, greet).await.unwrap_or_else(late)
}

/// tokio-postgres says what it did; what came of it is in the error's causes.
fn told_in_full(error: tokio_postgres::Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

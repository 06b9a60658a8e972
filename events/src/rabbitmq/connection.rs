//! Connections to the broker: one to publish by, one for each reader and worker, so that a broker that takes nothing more
//! from who publishes still hears who acknowledges.

use std::{sync::atomic::AtomicBool, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::{AMQPScheme, AMQPUri},
};

use super::{InvalidUrl, declare};
use crate::{log::Error, topology::Topology};

/// A broker that says nothing for twice as long is gone. Seconds.
const HEARTBEAT: u16 = 5;
/// How long a connection, with all that is to be there on it, may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long anything else may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Where the broker is, and what is to be there.
pub(super) struct Broker {
    uri: AMQPUri,
    instance: String,
    pub(super) topology: Topology,
    /// The topology was found whole, or made so, by this process.
    pub(super) was_whole: AtomicBool,
}

/// A connection on which the topology was found whole.
pub(super) struct Link {
    connection: Connection,
}

impl Broker {
    pub(super) fn new(url: &str, instance: &str, topology: Topology) -> Result<Self, InvalidUrl> {
        let mut uri: AMQPUri = url.parse().map_err(InvalidUrl)?;
        if uri.scheme == AMQPScheme::AMQPS {
            return Err(InvalidUrl("it is amqps".to_owned()));
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Self { uri, instance: instance.to_owned(), topology, was_whole: AtomicBool::new(false) })
    }

    /// A connection that the broker shows as this instance's, for a purpose. Takes 5 seconds at most.
    pub(super) async fn connect(&self, purpose: &str) -> Result<Link, Error> {
        let name = format!("{} {purpose}", self.instance);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connect = async {
            let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
            let link = Link { connection };
            declare::make_whole(&link, &self.topology, &self.was_whole).await?;
            Ok(link)
        };
        tokio::time::timeout(CONNECT, connect).await.unwrap_or_else(|elapsed| Err(Error::unavailable(elapsed)))
    }
}

impl Link {
    pub(super) async fn channel(&self) -> Result<Channel, Error> {
        Ok(self.connection.create_channel().await?)
    }

    /// Whether the broker takes nothing, since it has no memory or no disk left.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }
}

/// A call to the broker that ends, whatever the broker does.
pub(super) async fn bounded<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(DEADLINE, call).await.unwrap_or_else(|elapsed| Err(Error::unavailable(elapsed)))
}

impl From<lapin::Error> for Error {
    fn from(error: lapin::Error) -> Self {
        let refused = match error.kind() {
            ErrorKind::ProtocolError(error) => matches!(
                error.kind(),
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
                    | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
            ),
            _ => false,
        };
        if refused { Self::failed(error) } else { Self::unavailable(error) }
    }
}

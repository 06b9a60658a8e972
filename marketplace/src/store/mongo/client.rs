//! What MONGODB_URI may be, and the limits of time and connections.

use std::time::Duration;

use mongodb::{
    error::ErrorKind,
    options::{ClientOptions, ReadConcern, WriteConcern},
};

/// The database where the URI names none.
pub(super) const DATABASE: &str = "marketplace";

/// How long to look for a primary, which an election takes no longer than, as a rule.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections to a server at most, where the URI does not say.
const POOL_SIZE: u32 = 32;

/// What is wrong with a URI, and what would be right.
const SHAPE: &str = "MONGODB_URI is no MongoDB connection string: it should be like \
    mongodb://host:27017/database?replicaSet=rs0, with special characters of user and password percent-encoded";

/// The settings of the driver that `uri` asks for, with this store's where it asks for none; an error names what a URI
/// should be, and shows nothing of this one, which may have a password.
pub(super) async fn settings(uri: &str) -> anyhow::Result<ClientOptions> {
    let mut settings = ClientOptions::parse(uri).await.map_err(|error| match *error.kind {
        ErrorKind::DnsResolve { message, .. } => anyhow::anyhow!("MONGODB_URI: its host is not found: {message}"),
        // Where nobody logs in there is no password that the driver's words could show.
        ErrorKind::InvalidArgument { message, .. } if !uri.contains('@') => anyhow::anyhow!("{SHAPE}: {message}"),
        _ => anyhow::anyhow!(SHAPE),
    })?;
    settings.app_name.get_or_insert_with(|| "capsim-marketplace".to_owned());
    settings.server_selection_timeout.get_or_insert(SERVER_SELECTION_TIMEOUT);
    settings.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    settings.max_pool_size.get_or_insert(POOL_SIZE);
    // Not for the URI to say: with less, what was acknowledged could be lost.
    settings.read_concern = Some(ReadConcern::majority());
    settings.write_concern = Some(WriteConcern::majority());
    Ok(settings)
}

/// Connections to a server at most.
pub(super) fn pool_size(settings: &ClientOptions) -> u32 {
    settings.max_pool_size.unwrap_or(POOL_SIZE)
}

/// As many as there are connections: more would wait for one halfway, and keep others from what they have written.
pub(super) fn transactions_at_once(settings: &ClientOptions) -> usize {
    pool_size(settings) as usize
}

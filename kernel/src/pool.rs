//! How busy a store's connections are.

/// What a store's pool of connections holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Connections that calls work on.
    pub in_use: u64,
    /// Open connections that wait for a call.
    pub idle: u64,
    /// Connections there may be at most.
    pub max: u64,
}

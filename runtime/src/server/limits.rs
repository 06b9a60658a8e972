//! What a server grants its peers.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;

/// The slowest that a peer may send a body or take an answer, bytes a second.
pub const MIN_RATE: u64 = 1024;

/// Answer bytes of one HTTP/2 connection that are made and not yet written, at most; more requests wait their turn. (An
/// HTTP/1.1 connection has one answer at a time.)
pub const UNREAD_BYTES: usize = 1024 * 1024;

/// The bounds of one server. The defaults are what every process runs with; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections at most, where the process has file descriptors for so many.
    pub connections: usize,
    /// Of these, from one address (one /64 of IPv6). Loopback and [`Self::proxies`] speak for many, and are not bounded.
    pub connections_per_peer: usize,
    /// Proxies in front of this server.
    pub proxies: Arc<[IpNet]>,
    /// A connection's first request, its head complete, must be there so long after the connect.
    pub first_request: Duration,
    /// A connection without a request is closed after this; longer than the minute that proxies keep theirs.
    pub idle: Duration,
    /// An HTTP/2 connection is asked to go after this and up to an eighth more, so that they do not all go at once.
    pub age: Duration,
    /// Over so long, answers that wait must be taken at [`MIN_RATE`] or all be written.
    pub progress: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// What an answer to a request without a body may have, bytes: so much of [`UNREAD_BYTES`] it takes while it is made.
    pub largest_answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            // Two classrooms behind one NAT: 80 browsers with 6 connections each.
            connections_per_peer: 512,
            proxies: Arc::default(),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            age: Duration::from_secs(3600),
            progress: Duration::from_secs(10),
            // As few as RFC 9113, section 6.5.2, recommends.
            streams: 100,
            largest_answer: 256 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_process_runs_with() {
        let limits = Limits::default();
        let seconds = [limits.first_request, limits.idle, limits.age, limits.progress].map(|limit| limit.as_secs());
        assert_eq!(seconds, [10, 75, 3600, 10]);
        assert_eq!((limits.connections, limits.connections_per_peer, limits.streams), (4096, 512, 100));
        assert_eq!((MIN_RATE, UNREAD_BYTES, limits.largest_answer), (1024, 1_048_576, 262_144));
    }
}

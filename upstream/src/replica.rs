//! One replica: its channel, and whether it is in the rotation.

use std::{
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, Request, Response, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body_util::BodyExt;
use kernel::error::Chain;
use runtime::health::{NOT_SERVING, WRITES};
use tokio::sync::Notify;
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{Service, ServiceExt};

use super::failure::{Failure, Fault};

/// TCP connect at most; a host that is there answers in well under a millisecond.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// A ping on each idle or busy connection this often: a frozen peer is found within 3 s, and there is time left to ask
/// another.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A ping that takes longer was lost. Not less: a peer that is busy, or this process itself, may be late by a second.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Flow-control window: the largest page (100 posts) fits with room to spare.
const WINDOW_BYTES: u32 = 2 * 1024 * 1024;

/// Where a replica listens: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaAddress(Authority);

impl FromStr for ReplicaAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().parse::<Authority>() {
            Ok(address) if is_host_and_port(&address) => Ok(Self(address)),
            _ => Err(format!("{text:?} must be host:port, such as 127.0.0.1:3001")),
        }
    }
}

fn is_host_and_port(address: &Authority) -> bool {
    !address.host().is_empty() && address.port_u16().is_some_and(|port| port > 0) && !address.as_str().contains('@')
}

impl From<SocketAddr> for ReplicaAddress {
    fn from(address: SocketAddr) -> Self {
        let text = address.to_string();
        Self(text.parse().unwrap_or_else(|_| unreachable!("a socket address is an authority")))
    }
}

fn endpoint(address: &ReplicaAddress) -> Endpoint {
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(address.0.clone());
    uri.path_and_query = Some(PathAndQuery::from_static("/"));
    Endpoint::from(Uri::from_parts(uri).unwrap_or_else(|_| unreachable!("all parts of a URI are there")))
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .tcp_nodelay(true)
}

/// A connection of one's own, made when it is first used: for streams, since a [`crate::Balancer`] waits for whole answers.
pub fn connect(address: &ReplicaAddress) -> Channel {
    endpoint(address).connect_lazy()
}

/// What the balancer knows of a replica's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// It was not asked yet, or has not answered yet.
    Unknown,
    Live,
    /// Out of the rotation until a health check succeeds.
    Ejected,
}

impl Health {
    const ALL: [Self; 3] = [Self::Unknown, Self::Live, Self::Ejected];
}

/// A replica and what the balancer knows of it.
#[derive(Debug)]
pub struct Replica {
    name: Arc<str>,
    address: ReplicaAddress,
    channel: Channel,
    /// Index into [`Health::ALL`].
    health: AtomicU8,
    /// What it says it stands on.
    backend: Mutex<Option<String>>,
    /// Whether its store cannot be written to.
    degraded: AtomicBool,
    calls: AtomicU64,
    /// Wakes the health check when a call finds the replica broken.
    pub(super) ejected: Notify,
}

/// The trailers of a complete answer, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Trailers(pub(super) HeaderMap);

impl Replica {
    pub(super) fn new(address: &ReplicaAddress) -> Self {
        Self {
            name: address.0.as_str().into(),
            address: address.clone(),
            channel: connect(address),
            health: AtomicU8::new(Health::Unknown as u8),
            backend: Mutex::default(),
            degraded: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            ejected: Notify::new(),
        }
    }

    /// Its address, which is its name in metrics and in `/status`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it was well when last asked, and no call has found it broken since.
    pub fn is_live(&self) -> bool {
        self.health() == Health::Live
    }

    pub(super) fn health(&self) -> Health {
        Health::ALL[usize::from(self.health.load(Ordering::Relaxed))]
    }

    /// What it was before.
    pub(super) fn set_health(&self, health: Health) -> Health {
        Health::ALL[usize::from(self.health.swap(health as u8, Ordering::Relaxed))]
    }

    /// The store it stands on, where it has told.
    pub fn backend(&self) -> Option<String> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_backend(&self, backend: String) {
        *self.backend.lock().unwrap_or_else(PoisonError::into_inner) = Some(backend);
    }

    /// Whether it serves reads only, by what it said last.
    pub fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    pub(super) fn set_degraded(&self, degraded: bool) {
        self.degraded.store(degraded, Ordering::Relaxed);
    }

    /// Calls sent to it since the start, health checks not counted.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection beside that of the calls, which belongs to the runtime that this is called in.
    pub(super) fn connect(&self) -> Channel {
        connect(&self.address)
    }

    /// Sends a call and waits for all of its answer, so that an answer that breaks off counts as a failure too.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let mut channel = self.channel.clone();
        let response = channel.ready().await.map_err(Failure::new)?.call(request).await.map_err(Failure::new)?;
        if let Some(refused) = response.headers().get(NOT_SERVING) {
            let (fault, cause) = match refused == WRITES {
                true => (Fault::Writes, "its store cannot be written to"),
                false => (Fault::Replica, "its store is down"),
            };
            return Err(Failure { never_sent: true, fault, cause: cause.into() });
        }
        let (mut head, body) = response.into_parts();
        let broken = |status: Status| Failure { never_sent: false, fault: Fault::Replica, cause: status.into() };
        let body = body.collect().await.map_err(broken)?;
        if let Some(trailers) = body.trailers() {
            head.extensions.insert(Trailers(trailers.clone()));
        }
        Ok(Response::from_parts(head, Body::new(body)))
    }

    /// Takes it out of the rotation until a health check succeeds.
    pub(super) fn eject(&self, failure: &Failure) {
        if self.set_health(Health::Ejected) != Health::Ejected {
            let cause = Chain(failure.cause.as_ref());
            tracing::warn!(replica = &*self.name, %cause, "ejected: a call broke");
        }
        self.ejected.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["127.0.0.1:3001", "marketplace-1:3001", "[::1]:3001", " localhost:1 "] {
            assert!(good.parse::<ReplicaAddress>().is_ok(), "{good}");
        }
        for bad in ["", "localhost", ":3001", "localhost:", "localhost:0", "localhost:65536", "a b:1", "http://a:1"] {
            assert!(bad.parse::<ReplicaAddress>().is_err(), "{bad}");
        }
    }
}

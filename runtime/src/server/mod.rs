//! The server under every process: HTTP/1.1 and HTTP/2 on one port, bounded, with a graceful end.
//!
//! | to find | look in |
//! |---|---|
//! | how much of what a peer may have | [`limits`] |
//! | who may connect | [`admission`], [`descriptors`] |
//! | how a connection begins, goes on and ends | [`connection`], [`life`] |
//! | answers that wait to be read | [`answer`] |
//! | requests that are answered before they are there | [`unread`] |

mod admission;
mod answer;
mod connection;
mod descriptors;
mod life;
mod limits;
mod unread;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{admission::Admission, connection::Connections, life::Life};
pub use self::{
    admission::network,
    answer::{Endless, Room, Share, UntilWritten},
    limits::{Limits, MIN_RATE, UNREAD_BYTES},
};
use crate::metrics::Metrics;

/// How long requests in flight may take once a process stops.
const GRACE: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted; beyond, the first packet of one is lost, and sent again after a second. Linux has
/// at most `net.core.somaxconn`, 4096 by default.
const BACKLOG: u32 = 4096;

/// Binds a port (0 is any free one); the error names the address.
pub async fn bind(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let name = || format!("cannot listen on {host}:{port}");
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.with_context(name)?.collect();
    let mut bound = Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    for address in addresses {
        bound = listen(address);
        if bound.is_ok() {
            break;
        }
    }
    bound.with_context(|| format!("{}: is something else running there?", name()))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port whose last owner's connections linger is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown`, then finishes the requests in flight, for at most 10 seconds.
///
/// Dropping the future closes every connection at once.
pub async fn serve(listener: TcpListener, app: Router, metrics: Metrics, limits: Limits, shutdown: CancellationToken) {
    let mut admission = Admission::new(limits.clone());
    let connections = Connections::new(app, metrics, limits, shutdown.clone());
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match admission.admit(peer.ip(), open.len()) {
                    Some(place) => {
                        let life = Arc::new(Life::default());
                        let task = open.spawn(connections.serve(stream, peer, Arc::clone(&life), place));
                        admission.placed(life, peer.ip(), task);
                    }
                    None => admission.refuse(stream),
                },
                Err(error) => pause_after(&error).await,
            }
        }
    }
    drop((listener, admission));
    let drained = tokio::time::timeout(GRACE, async { while open.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(open = open.len(), "closing connections that did not finish in time");
    }
}

/// Out of file descriptors or memory: accepting at once again would only spin.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

//! The server under every process: HTTP/1.1 and HTTP/2 on one port, bounded, with a graceful end.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use anyhow::Context;
use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::metrics::Metrics;

/// Open connections at most; more wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 4096;
/// A request's head must be there within this time; an idle HTTP/1.1 connection is closed after it.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A request's head, bytes at most.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// Calls at once on one HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// How long requests in flight may take once a process stops.
const GRACE: Duration = Duration::from_secs(10);

/// Binds a port (0 is any free one); the error names the address.
pub async fn bind(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port))
        .await
        .with_context(|| format!("cannot listen on {host}:{port}: is something else running there?"))
}

/// Serves until `shutdown`, then finishes the requests in flight, for at most 10 seconds.
///
/// Dropping the future closes every connection at once.
pub async fn serve(listener: TcpListener, app: Router, metrics: Metrics, shutdown: CancellationToken) {
    let builder = connection_builder();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(
                        builder.clone(), stream, peer, app.clone(), metrics.clone(), shutdown.clone(),
                    ));
                }
                Err(error) => pause_after(&error).await,
            }
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(open = connections.len(), "closing connections that did not finish in time");
    }
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS);
    builder
}

async fn connection(
    builder: Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    app: Router,
    metrics: Metrics,
    shutdown: CancellationToken,
) {
    let _open = metrics.connection();
    // Answers are small; waiting to fill a packet only costs latency.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request.map(Body::new))
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, %peer, "connection ended");
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

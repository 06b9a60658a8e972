//! One connection, from its socket to its last answer.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use http::{HeaderValue, Response, Version, header};
use hyper::{
    body::{Body as _, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    admission::Place,
    answer::{Answer, Room},
    life::{Life, Open, Verdict, Watch},
    limits::Limits,
    unread::{Lingering, Rest},
};
use crate::metrics::Metrics;

/// A request's head, bytes at most.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// What a peer may send of one request's body before it is read, by HTTP/2's flow control.
const STREAM_WINDOW: u32 = 64 * 1024;
/// And of all requests of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What all connections of a server have in common.
pub(super) struct Connections {
    builder: Arc<Builder<TokioExecutor>>,
    app: Router,
    metrics: Metrics,
    limits: Limits,
    shutdown: CancellationToken,
}

impl Connections {
    pub(super) fn new(app: Router, metrics: Metrics, limits: Limits, shutdown: CancellationToken) -> Self {
        Self { builder: Arc::new(builder(&limits)), app, metrics, limits, shutdown }
    }

    /// Serves one connection to its end.
    pub(super) fn serve(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        life: Arc<Life>,
        place: Place,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (builder, app, metrics) = (Arc::clone(&self.builder), self.app.clone(), self.metrics.clone());
        let watch = Watch::new(Arc::clone(&life), self.limits.clone(), peer.port(), Instant::now());
        let (largest_answer, progress) = (self.limits.largest_answer, self.limits.progress);
        let shutdown = self.shutdown.clone();
        async move {
            let (_place, _open) = (place, metrics.connection());
            // Answers are small; waiting to fill a packet only costs latency.
            let _ = stream.set_nodelay(true);
            give_up_unread(&stream, progress);
            let room = Room::new();
            let exchange = Exchange { app, peer, room: room.clone(), largest_answer };
            let io = TokioIo::new(Lingering::new(stream, Arc::clone(&life)));
            let service = service_fn(move |request: Request<Incoming>| {
                let open = life.request(request.version() == Version::HTTP_2);
                exchange.clone().answer(request, open)
            });
            let connection = builder.serve_connection(io, service);
            run(connection, room, watch, peer, shutdown).await;
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Runs while a connection is idle, too.
        .header_read_timeout(limits.idle)
        .max_buf_size(MAX_HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(limits.largest_answer)
        .max_concurrent_streams(limits.streams);
    builder
}

/// What hyper has written waits in the kernel, which closes the connection once the peer takes none of it for so long
/// (RFC 5482, for a closed window too). Elsewhere than on Linux, it counts as idle instead.
fn give_up_unread(stream: &TcpStream, after: Duration) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, after);
}

/// Drives a connection and looks after it, until it ends or has to.
async fn run<S>(
    connection: hyper_util::server::conn::auto::Connection<'_, TokioIo<Lingering>, S, TokioExecutor>,
    room: Room,
    mut watch: Watch,
    peer: SocketAddr,
    shutdown: CancellationToken,
) where
    S: hyper::service::Service<
            Request<Incoming>,
            Response = Response<Answer>,
            Error = Infallible,
            Future: Send + 'static,
        >,
{
    let mut connection = pin!(connection);
    let _room_ends = room.ends();
    let mut stopping = pin!(shutdown.cancelled());
    let mut look = pin!(tokio::time::sleep(watch.first()));
    let mut draining = false;
    loop {
        let verdict = tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(error, %peer, "connection ended");
                }
                return;
            }
            () = look.as_mut() => {
                look.as_mut().reset(Instant::now() + watch.interval());
                watch.look(Instant::now())
            }
            () = stopping.as_mut(), if !draining => Verdict::Drain,
        };
        match verdict {
            Verdict::Keep => {}
            Verdict::Drain => {
                draining = true;
                watch.draining();
                connection.as_mut().graceful_shutdown();
            }
            Verdict::Close(why) => {
                tracing::debug!(why, %peer, "connection closed");
                return;
            }
        }
    }
}

/// What it takes to answer the requests of one connection.
#[derive(Clone)]
struct Exchange {
    app: Router,
    peer: SocketAddr,
    room: Room,
    largest_answer: usize,
}

impl Exchange {
    async fn answer(self, mut request: Request<Incoming>, open: Open) -> Result<Response<Answer>, Infallible> {
        let (http2, bodyless) = (request.version() == Version::HTTP_2, request.body().is_end_stream());
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let mut share = None;
        if http2 {
            // A body comes before its turn: else bodies that nobody reads would keep out those that somebody waits for.
            if bodyless {
                share = Some(self.room.take(self.largest_answer).await);
            } else {
                request.extensions_mut().insert(self.room);
            }
        }
        if http2 || bodyless {
            let response = self.app.oneshot(request.map(Body::new)).await?;
            return Ok(Answer::to(open, share, response));
        }
        let (head, body) = request.into_parts();
        let (body, rest) = Rest::of(body, &head.headers);
        let mut response = self.app.oneshot(Request::from_parts(head, body)).await?;
        if !rest.read().await {
            open.life().linger();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(Answer::to(open, share, response))
    }
}

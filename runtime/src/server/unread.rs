//! Requests that are answered before all of them is there (RFC 9112, section 9.6).
//!
//! Closing a socket that has bytes to read resets it, and the reset may overtake the answer. So what is left of a small
//! body is read; else the answer says `Connection: close`, and the socket is drained for a while after it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

use super::life::Life;

/// What is read of a body that nobody wants: bytes and time at most.
const REST: (u64, Duration) = (64 * 1024, Duration::from_secs(1));
/// How long a peer may go on sending after the last answer.
const LINGER: Duration = Duration::from_secs(5);

/// What an answer left of an HTTP/1.1 request's body.
pub(super) struct Rest {
    slot: Arc<Mutex<Option<Incoming>>>,
    /// The peer waits to be asked for the body, and most likely will not send it now.
    waits: bool,
}

impl Rest {
    /// The body for the application, and what it leaves of it.
    pub(super) fn of(body: Incoming, headers: &HeaderMap) -> (Body, Self) {
        let slot = Arc::default();
        let rest = Self { slot: Arc::clone(&slot), waits: headers.contains_key(header::EXPECT) };
        (Body::new(Returned { body: Some(body), slot }), rest)
    }

    /// Whether all of the body is there, after reading the rest where it is small.
    pub(super) async fn read(self) -> bool {
        let (max, limit) = REST;
        let Some(mut body) = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take() else { return true };
        if self.waits || body.size_hint().lower() > max {
            return false;
        }
        let read = async {
            let mut left = max;
            while let Some(frame) = body.frame().await {
                let bytes = frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
                match left.checked_sub(bytes) {
                    Some(rest) if frame.is_ok() => left = rest,
                    _ => return false,
                }
            }
            true
        };
        tokio::time::timeout(limit, read).await.unwrap_or(false)
    }
}

/// A body that is given back when it is dropped before its end.
struct Returned {
    /// `None` only while it is dropped.
    body: Option<Incoming>,
    slot: Arc<Mutex<Option<Incoming>>>,
}

impl HttpBody for Returned {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        if !self.is_end_stream() {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

/// A socket that, where an answer came early, is read to its end after our last byte, before it is closed.
pub(super) struct Lingering {
    stream: TcpStream,
    life: Arc<Life>,
    /// Until when, once we have said that no more comes from us.
    until: Option<Pin<Box<Sleep>>>,
}

impl Lingering {
    pub(super) fn new(stream: TcpStream, life: Arc<Life>) -> Self {
        Self { stream, life, until: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, life, until } = &mut *self;
        if until.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
            if !life.lingers() {
                return Poll::Ready(Ok(()));
            }
        }
        let until = until.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut unwanted = [0; 4096];
        while until.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut unwanted);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

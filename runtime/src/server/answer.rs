//! Answers on their way to a peer: what is made and not yet written is known, byte by byte.

use std::{
    any::Any,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{life::Open, limits::UNREAD_BYTES};

/// Kept, as an extension of a response, until the last byte of its body is written or the connection is gone.
#[derive(Clone)]
pub struct UntilWritten(#[expect(dead_code, reason = "kept to be dropped")] Arc<dyn Any + Send + Sync>);

impl UntilWritten {
    pub fn new(kept: impl Send + Sync + 'static) -> Self {
        Self(Arc::new(kept))
    }
}

/// That the end of an answer is not to be waited for, as an extension of it: it goes on as long as there are news. What would
/// be kept [`UntilWritten`] is not, nor room for it; whoever makes it bounds what of it is unread.
#[derive(Clone, Copy, Debug)]
pub struct Endless;

/// The room that one HTTP/2 connection has for answers, as an extension of its requests.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(UNREAD_BYTES)))
    }

    /// Waits, first come, first served, until there is room for an answer of so many bytes (at most [`UNREAD_BYTES`]);
    /// for ever once the connection is gone, so that nothing is begun for nobody.
    pub async fn take(&self, bytes: usize) -> Share {
        let bytes = u32::try_from(bytes.min(UNREAD_BYTES)).unwrap_or(u32::MAX);
        match Arc::clone(&self.0).acquire_many_owned(bytes).await {
            Ok(permit) => Share(permit),
            Err(_) => std::future::pending().await,
        }
    }

    /// Nobody has a turn any more once this is dropped.
    pub(super) fn ends(&self) -> RoomEnds {
        RoomEnds(self.clone())
    }
}

/// To be dropped before the connection is.
pub(super) struct RoomEnds(Room);

impl Drop for RoomEnds {
    fn drop(&mut self) {
        self.0.0.close();
    }
}

/// Room for one answer.
#[derive(Debug)]
pub struct Share(OwnedSemaphorePermit);

impl Share {
    /// Gives back what `answer` does not need.
    pub fn fit(&mut self, answer: &Response) {
        let needed = answer.body().size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(needed) = needed {
            drop(self.0.split(self.0.num_permits().saturating_sub(needed)));
        }
    }
}

/// What lives as long as an answer has bytes to write.
struct Kept {
    open: Open,
    _share: Option<Share>,
    _until_written: Option<UntilWritten>,
}

/// The body of an answer.
pub(super) struct Answer {
    body: Body,
    kept: Arc<Kept>,
}

impl Answer {
    pub(super) fn to(open: Open, mut share: Option<Share>, mut response: Response) -> http::Response<Self> {
        if response.extensions().get::<Endless>().is_some() {
            share = None;
        } else if let Some(share) = &mut share {
            share.fit(&response);
        }
        let until_written = response.extensions_mut().remove();
        let kept = Arc::new(Kept { open, _share: share, _until_written: until_written });
        response.map(|body| Self { body, kept })
    }
}

impl HttpBody for Answer {
    type Data = Unwritten;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Unwritten>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map_ok(|frame| frame.map_data(|bytes| Unwritten::new(bytes, &self.kept)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that hyper has taken and not yet written: it advances over what the socket took, and drops the rest.
pub(super) struct Unwritten {
    bytes: Bytes,
    kept: Arc<Kept>,
}

impl Unwritten {
    fn new(bytes: Bytes, kept: &Arc<Kept>) -> Self {
        kept.open.life().made(bytes.len());
        Self { bytes, kept: Arc::clone(kept) }
    }
}

impl Buf for Unwritten {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.kept.open.life().wrote(count);
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        if self.bytes.has_remaining() {
            self.kept.open.life().gone(self.bytes.len());
        }
    }
}

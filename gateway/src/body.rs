//! Bodies come first: a request takes no place in flight while its body is on the way.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
};
use bytes::BytesMut;
use http_body_util::BodyExt;
use proto::errors;
use runtime::server::MIN_RATE;
use tokio::time::Instant;

use crate::error::Problem;

/// A request body, bytes at most.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// How far it may be behind [`MIN_RATE`].
const GRACE: Duration = Duration::from_secs(3);

/// The request with all of its body, which is on its way: 413 beyond 64 KiB, 408 for one that comes too slowly, 400 for one that breaks off.
pub(crate) async fn arrived(request: Request) -> Result<Request, Problem> {
    let (head, body) = request.into_parts();
    let body = read(body, GRACE).await?;
    Ok(Request::from_parts(head, body.into()))
}

async fn read(mut body: Body, grace: Duration) -> Result<Bytes, Problem> {
    // What says that it is too long is not asked for.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large());
    }
    let (begun, mut read) = (Instant::now(), Read::default());
    loop {
        let due = begun + grace + Duration::from_secs_f64(read.len() as f64 / MIN_RATE as f64);
        match tokio::time::timeout_at(due, body.frame()).await {
            Ok(Some(Ok(frame))) => read.take(frame.into_data().unwrap_or_default())?,
            Ok(Some(Err(_))) => {
                return Err(errors::UNREADABLE_BODY.into());
            }
            Ok(None) => return Ok(read.into_bytes()),
            Err(_) => {
                return Err(errors::REQUEST_TIMEOUT.into());
            }
        }
    }
}

fn too_large() -> Problem {
    Problem::new(errors::BODY_TOO_LARGE, format!("the body must have at most {MAX_BODY_BYTES} bytes"))
}

/// What has come of a body; most come at once, and are not copied.
#[derive(Default)]
struct Read {
    first: Bytes,
    rest: BytesMut,
}

impl Read {
    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn take(&mut self, bytes: Bytes) -> Result<(), Problem> {
        if self.len() + bytes.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        if self.first.is_empty() {
            self.first = bytes;
        } else {
            self.rest.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut whole = BytesMut::with_capacity(self.len());
        whole.extend_from_slice(&self.first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    fn chunks(chunks: &[&'static str]) -> Body {
        let chunks: Vec<_> =
            chunks.iter().map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes()))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    async fn refusal(body: Body) -> (u16, String) {
        let problem = read(body, Duration::from_millis(50)).await.expect_err("refused");
        (problem.status().as_u16(), problem.code().to_owned())
    }

    #[tokio::test]
    async fn a_body_is_whole_however_it_comes() {
        for parts in [&["{}"][..], &["{", "}"], &["", "{", "", "}"]] {
            assert_eq!(read(chunks(parts), GRACE).await.expect("arrived"), "{}", "{parts:?}");
        }
        assert_eq!(read(Body::empty(), GRACE).await.expect("arrived"), "");
    }

    #[tokio::test]
    async fn a_body_has_64_kib_and_not_a_byte_more_whether_it_says_so_or_not() {
        let edge = "x".repeat(MAX_BODY_BYTES);
        assert_eq!(read(edge.clone().into(), GRACE).await.expect("arrived").len(), MAX_BODY_BYTES);
        assert_eq!(refusal((edge.clone() + "x").into()).await, (413, "body_too_large".to_owned()));
        let unsaid = stream::iter([edge, "x".to_owned()].map(Ok::<_, std::io::Error>));
        assert_eq!(refusal(Body::from_stream(unsaid)).await, (413, "body_too_large".to_owned()));
    }

    #[tokio::test]
    async fn what_breaks_off_is_told() {
        let broken = stream::iter([Ok("{"), Err(std::io::Error::other("reset"))]);
        assert_eq!(refusal(Body::from_stream(broken)).await, (400, "unreadable_body".to_owned()));
    }

    /// So many bytes at a time, every 10 ms.
    fn paced(bytes: usize) -> Body {
        let chunks = stream::iter(std::iter::repeat_n("x".repeat(bytes), 20));
        Body::from_stream(chunks.then(async move |chunk| {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, std::io::Error>(chunk)
        }))
    }

    #[tokio::test]
    async fn a_body_comes_at_a_kibibyte_a_second() {
        let grace = Duration::from_millis(50);
        assert_eq!(read(paced(1024), grace).await.expect("arrived").len(), 20_480);
        assert_eq!(refusal(paced(1)).await, (408, "request_timeout".to_owned()));
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(refusal(endless).await, (408, "request_timeout".to_owned()));
    }
}

//! Enforces `grpc-timeout`: a call whose caller has given up is not worked on any longer.

use std::time::Duration;

use axum::{extract::Request, http::HeaderMap, middleware::Next, response::Response};
use kernel::Error;
use proto::errors;
use tokio::time::Instant;

use crate::status::refuse;

/// Header of a call's deadline, relative to its arrival.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

/// When a call's caller gives up, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// Middleware: drops a call at its deadline and answers DEADLINE_EXCEEDED.
pub async fn deadline(mut request: Request, next: Next) -> Response {
    let Some(timeout) = parse(request.headers()) else { return next.run(request).await };
    let at = Instant::now() + timeout;
    request.extensions_mut().insert(Deadline(at));
    match tokio::time::timeout_at(at, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let error = Error::new(errors::DEADLINE_EXCEEDED, "the call took too long");
            refuse(error).into_http()
        }
    }
}

/// At most 8 digits and a unit, by the gRPC over HTTP/2 specification; nonsense counts as no deadline.
fn parse(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(value * 3600),
        "M" => Duration::from_secs(value * 60),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::get};
    use tonic::{Code, Status};
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_call_is_dropped_at_its_deadline() {
        let app = Router::new()
            .route("/fast", get(async || "done"))
            .route("/slow", get(std::future::pending::<()>))
            .layer(from_fn(deadline));
        let call = async |path: &str| {
            let request = Request::get(path).header(GRPC_TIMEOUT, "50m").body(Body::empty()).expect("request");
            app.clone().oneshot(request).await.expect("answers")
        };
        let fast = call("/fast").await;
        assert!(Status::from_header_map(fast.headers()).is_none());
        let slow = call("/slow").await;
        assert_eq!(Status::from_header_map(slow.headers()).map(|status| status.code()), Some(Code::DeadlineExceeded));
    }

    #[test]
    fn reads_every_unit_and_no_nonsense() {
        let read = |text: &str| {
            parse(&HeaderMap::from_iter([(GRPC_TIMEOUT.parse().expect("name"), text.parse().expect("value"))]))
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("5S"), Some(Duration::from_secs(5)));
        assert_eq!(read("99999999m"), Some(Duration::from_millis(99_999_999)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("8n"), Some(Duration::from_nanos(8)));
        for nonsense in ["", "5", "S", "-1S", "1s", "100000000m", "1.5S"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}

//! `--health-check`: a process asks one that runs how it is, so that an image needs no shell and no curl for it.

use std::time::Duration;

use anyhow::Context;
use axum::body::Body;
use http::{Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What does not answer within this time is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// An error unless the process that listens on `host` (0.0.0.0 reaches this machine's own) and `port` says that it is
/// well: `/status` answers 200, degraded or not.
pub async fn ask(host: &str, port: u16) -> anyhow::Result<()> {
    tokio::time::timeout(PATIENCE, async {
        let stream =
            TcpStream::connect((host, port)).await.with_context(|| format!("nothing listens on port {port}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get("/status").header(header::HOST, "localhost").body(Body::empty())?;
        let status = sender.send_request(request).await?.status();
        anyhow::ensure!(status.is_success(), "/status answers {status}");
        Ok(())
    })
    .await
    .with_context(|| format!("no answer within {PATIENCE:?}"))?
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use http::StatusCode;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{metrics::Metrics, server};

    #[tokio::test]
    async fn only_a_process_that_says_so_is_well() {
        for (status, well) in [(StatusCode::OK, true), (StatusCode::SERVICE_UNAVAILABLE, false)] {
            let listener = server::bind("127.0.0.1", 0).await.expect("free port");
            let port = listener.local_addr().expect("address").port();
            let app = Router::new().route("/status", get(move || async move { status }));
            let metrics = Metrics::new("test").expect("metrics");
            let serving = tokio::spawn(server::serve(
                listener,
                app,
                metrics,
                server::Limits::default(),
                CancellationToken::new(),
            ));
            assert_eq!(ask("0.0.0.0", port).await.is_ok(), well, "{status}");
            serving.abort();
            let _ = serving.await;
            assert!(ask("127.0.0.1", port).await.is_err(), "it has ended");
        }
    }

    #[tokio::test]
    async fn silence_is_not_waited_for() {
        let silent = server::bind("127.0.0.1", 0).await.expect("free port");
        let asked = tokio::time::Instant::now();
        assert!(ask("127.0.0.1", silent.local_addr().expect("address").port()).await.is_err());
        assert!(asked.elapsed() < PATIENCE * 2);
    }
}

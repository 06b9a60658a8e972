//! The web UI on a port of its own: the files that `make web` built, and `/config.json`, which says where its API is.

use std::path::{Path, PathBuf};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use runtime::{metrics::Metrics, server::Limits};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::services::{ServeDir, ServeFile};

/// What stands at the port while nothing is built.
const NOT_BUILT: &str = include_str!("web_not_built.html");

/// Serves until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    pages: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    runtime::server::serve(listener, pages, Metrics::new("web")?, limits, shutdown).await;
    Ok(())
}

/// Files of `directory`, for a gateway that listens on `gateway_port` of the host that the browser came to.
pub(crate) fn router(directory: PathBuf, gateway_port: u16) -> Router {
    let file = |name: &str| ServeFile::new(directory.join(name)).precompressed_br().precompressed_gzip();
    // No redirects to directories: `//assets` would be sent to another host.
    let files = |directory: &Path| {
        let files = ServeDir::new(directory).append_index_html_on_directories(false);
        files.precompressed_br().precompressed_gzip()
    };
    // Every path that is no file is a page of the app, but under /assets it is a mistake.
    let app = files(&directory).fallback(file("index.html"));
    Router::new()
        .route("/config.json", get(config))
        .nest_service("/assets", files(&directory.join("assets")))
        .fallback_service(app)
        .layer(from_fn_with_state((directory, gateway_port), around))
        .with_state(gateway_port)
}

/// Where the API is, read by the app when it starts.
async fn config(State(gateway_port): State<u16>, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "apiBase": format!("//{}:{gateway_port}", host(&headers)) }))
}

/// The page that says how to build, where nothing is built; headers for what is.
async fn around(State((directory, gateway_port)): State<(PathBuf, u16)>, request: Request, next: Next) -> Response {
    let immutable = request.uri().path().starts_with("/assets/");
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        return (StatusCode::BAD_REQUEST, "there must be one Host header\n").into_response();
    }
    let policy = policy(host(request.headers()), gateway_port);
    let mut response = if directory.join("index.html").is_file() {
        next.run(request).await
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response()
    };
    // The names of assets carry a hash of what is in them.
    let caching = match response.status() {
        StatusCode::OK if immutable => "public, max-age=31536000, immutable",
        _ => "no-cache",
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Scripts of ours only, calls to ourselves and the gateway only. Mantine writes its colours into a style element.
fn policy(host: &str, gateway_port: u16) -> String {
    format!(
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self' {host}:{gateway_port}; object-src 'none'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
}

/// The host that the browser knows us by, without its port.
fn host(headers: &HeaderMap) -> &str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // The colon of a port comes after the last bracket of an IPv6 address.
    let name = match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !name.is_empty() && name.bytes().all(plain) { name } else { "localhost" }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn answer(directory: &Path, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("request");
        let response = router(directory.to_owned(), 8000).oneshot(request).await.expect("answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("body").to_bytes();
        (head.status.as_u16(), head.headers, String::from_utf8_lossy(&body).into_owned())
    }

    fn built() -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("directory");
        fs::create_dir(directory.path().join("assets")).expect("made");
        for (name, content) in [("index.html", "app"), ("assets/a-1.js", "plain"), ("assets/a-1.js.br", "small")] {
            fs::write(directory.path().join(name), content).expect("written");
        }
        directory
    }

    #[tokio::test]
    async fn pages_of_the_app_are_asked_for_again_and_assets_are_kept() {
        let directory = built();
        for path in ["/", "/marketplace/item/42"] {
            let (status, headers, body) = answer(directory.path(), path, &[("host", "sim.example:3000")]).await;
            assert_eq!((status, body.as_str()), (200, "app"), "{path}");
            assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
            assert!(policy.contains("connect-src 'self' sim.example:8000;"), "{policy}");
        }
        let brotli = [("accept-encoding", "gzip, br")];
        let (status, headers, body) = answer(directory.path(), "/assets/a-1.js", &brotli).await;
        assert_eq!((status, body.as_str()), (200, "small"));
        assert_eq!(headers[header::CONTENT_ENCODING], "br");
        assert!(headers[header::CACHE_CONTROL].to_str().expect("text").contains("immutable"));
        let (status, headers, _) = answer(directory.path(), "/assets/gone-1.js", &[]).await;
        assert_eq!((status, &headers[header::CACHE_CONTROL]), (404, &HeaderValue::from_static("no-cache")));
    }

    #[tokio::test]
    async fn the_api_is_where_the_browser_finds_us() {
        let directory = built();
        for (host, base) in [
            ("localhost:3000", "//localhost:8000"),
            ("sim.example", "//sim.example:8000"),
            ("[::1]:3000", "//[::1]:8000"),
            ("a;script-src *:1", "//localhost:8000"),
        ] {
            let (status, _, body) = answer(directory.path(), "/config.json", &[("host", host)]).await;
            assert_eq!((status, body), (200, format!(r#"{{"apiBase":"{base}"}}"#)), "{host}");
        }
    }

    #[tokio::test]
    async fn no_path_is_sent_to_another_host() {
        let directory = built();
        for path in ["//assets", "//assets/", "/assets", "/assets/", "//evil.example/%2e%2e", "//evil.example"] {
            let (status, headers, _) = answer(directory.path(), path, &[]).await;
            assert!(!headers.contains_key(header::LOCATION), "{path}: {headers:?}");
            assert!(status == 200 || status == 404, "{path}: {status}");
        }
    }

    #[tokio::test]
    async fn two_hosts_are_refused() {
        let directory = built();
        let (status, ..) = answer(directory.path(), "/", &[("host", "a"), ("host", "b")]).await;
        assert_eq!(status, 400);
    }

    #[tokio::test]
    async fn without_a_build_every_page_says_how_to_get_one() {
        let directory = tempfile::tempdir().expect("directory");
        let (status, _, body) = answer(directory.path(), "/dashboard", &[]).await;
        assert_eq!(status, 503);
        assert!(body.contains("make web"), "{body}");
    }
}

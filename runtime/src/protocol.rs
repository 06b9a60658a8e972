//! What a path of gRPC takes: POST, over HTTP/2, of `application/grpc`. Everything else is refused in HTTP's own words, as
//! the specification of gRPC over HTTP/2 asks and as grpc-go does.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::deadline::deadline;

/// Middleware of gRPC's routes: refuses what is no call, and holds the deadline of what is one.
pub(crate) async fn call(request: Request, next: Next) -> Response {
    match refusal(&request) {
        Some(refusal) => refusal,
        None => deadline(request, next).await,
    }
}

/// Why a request is no call.
pub(crate) fn refusal(request: &Request) -> Option<Response> {
    if request.method() != Method::POST {
        let allow = [(header::ALLOW, "POST")];
        return Some((StatusCode::METHOD_NOT_ALLOWED, allow, "a gRPC call is a POST\n").into_response());
    }
    if !is_grpc(request.headers()) {
        let text = "the Content-Type of a gRPC call is application/grpc\n";
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, text).into_response());
    }
    if request.version() < Version::HTTP_2 {
        return Some((StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC needs HTTP/2\n").into_response());
    }
    None
}

/// `application/grpc`, also with a format (`+proto`) or parameters; `application/grpc-web` is another protocol.
fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    matches!(value.strip_prefix(b"application/grpc"), Some([] | [b'+' | b';', ..]))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(method: Method, version: Version, content_type: Option<&str>) -> u16 {
        let mut request = Request::builder().method(method).version(version).uri("/a.B/Call");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::empty()).expect("request");
        refusal(&request).map_or(200, |refusal| refusal.status().as_u16())
    }

    #[test]
    fn a_call_is_a_post_of_grpc_over_http2() {
        let http2 = |content_type| status(Method::POST, Version::HTTP_2, Some(content_type));
        for fine in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
            assert_eq!(http2(fine), 200, "{fine}");
        }
        for other in ["application/grpc-web", "application/json", "text/plain", "application/grpcx", ""] {
            assert_eq!(http2(other), 415, "{other}");
        }
        assert_eq!(status(Method::POST, Version::HTTP_2, None), 415);
        assert_eq!(status(Method::GET, Version::HTTP_2, Some("application/grpc")), 405);
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(status(Method::POST, version, Some("application/grpc")), 505);
        }
    }
}

//! Requests that can be read in two ways, by us and by a proxy in front of us, are refused: RFC 9112, section 3.2.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, Uri, header},
    response::{IntoResponse, Response},
};
use futures_util::future::Either;
use proto::errors;
use tower::Service;

use crate::error::Problem;

/// A service that is asked only what can be read in one way.
#[derive(Clone, Debug)]
pub(crate) struct Unambiguous<S>(pub S);

impl<S> Service<Request> for Unambiguous<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match refusal(request.uri(), request.headers()) {
            None => Either::Left(self.0.call(request)),
            Some(detail) => {
                let problem = Problem::new(errors::AMBIGUOUS_REQUEST, detail);
                Either::Right(ready(Ok(problem.into_response())))
            }
        }
    }
}

fn refusal(uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let repeats = |name: HeaderName| headers.get_all(name).iter().nth(1).is_some();
    if repeats(header::HOST) {
        return Some("there must be one Host header");
    }
    // HTTP/2 names the host beside the headers.
    if let (Some(authority), Some(host)) = (uri.authority(), headers.get(header::HOST))
        && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
    {
        return Some("the Host header must be that of the URL");
    }
    repeats(header::AUTHORIZATION).then_some("there must be at most one Authorization header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(uri: &'static str, headers: &[(HeaderName, &'static str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("value")));
        refusal(&Uri::from_static(uri), &headers.collect()).is_some()
    }

    #[test]
    fn one_host_and_at_most_one_token() {
        let (host, token) = (header::HOST, header::AUTHORIZATION);
        assert!(!refused("/", &[]));
        assert!(!refused("/", &[(host.clone(), "a"), (token.clone(), "Bearer a")]));
        assert!(refused("/", &[(host.clone(), "a"), (host.clone(), "b")]));
        assert!(refused("/", &[(token.clone(), "Bearer a"), (token, "Bearer b")]));
        assert!(!refused("http://a:80/", &[(host.clone(), "A:80")]));
        assert!(refused("http://a:80/", &[(host, "b")]));
    }
}

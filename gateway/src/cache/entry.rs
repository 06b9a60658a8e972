//! A cached answer, and how it is given.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::Generations;
use crate::{call::Call, error::Problem};

/// Says where an answer came from.
pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// The value of `X-Cache`.
#[derive(Clone, Copy, Debug)]
pub(super) enum XCache {
    Hit,
    Miss,
    Bypass,
}

/// A JSON answer with status 200, ready to send.
#[derive(Debug)]
pub struct Entry {
    body: Bytes,
    etag: HeaderValue,
    /// Seconds since the Unix epoch.
    made_at: u64,
    generations: Generations,
}

impl Entry {
    pub(super) fn new(answer: &impl Serialize, generations: Generations) -> Result<Self, Problem> {
        // Without spare capacity: what is kept takes what `size` says.
        let body = Bytes::from(serde_json::to_vec(answer).map_err(Problem::internal)?.into_boxed_slice());
        // It tells versions of one page apart and guards nothing, so it need not be cryptographic.
        let etag = HeaderValue::try_from(format!("\"{:032x}\"", xxh3_128(&body))).map_err(Problem::internal)?;
        Ok(Self { body, etag, made_at: now(), generations })
    }

    /// Of the tags, when it was made.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Bytes it takes, about.
    pub fn size(&self) -> usize {
        self.body.len() + 256
    }

    /// The answer to `call`: 304 where the caller has it already.
    pub(super) fn respond(&self, source: XCache, call: &Call) -> Response {
        let known = call.if_none_match.as_ref().is_some_and(|header| matches(header, &self.etag));
        let mut response = Response::new(if known { Body::empty() } else { Body::from(self.body.clone()) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ETAG, self.etag.clone());
        // It may be kept by the client, and must be asked for again before each use.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::AGE, HeaderValue::from(now().saturating_sub(self.made_at)));
        let source = match source {
            XCache::Hit => "HIT",
            XCache::Miss => "MISS",
            XCache::Bypass => "BYPASS",
        };
        headers.insert(X_CACHE, HeaderValue::from_static(source));
        response
    }
}

/// Whether an `If-None-Match` names `etag`, by the weak comparison of RFC 9110, section 8.8.3.2.
fn matches(header: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(header), Ok(etag)) = (header.to_str(), etag.to_str()) else { return false };
    header.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_takes_a_list_weak_tags_and_a_star() {
        let etag = HeaderValue::from_static("\"b\"");
        let matches = |header: &'static str| matches(&HeaderValue::from_static(header), &etag);
        assert!(matches("\"b\"") && matches("\"a\", \"b\"") && matches("W/\"b\"") && matches("*"));
        assert!(!matches("\"a\"") && !matches("b") && !matches(""));
    }
}

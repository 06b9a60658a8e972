//! A cached answer, and how it is given.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Buf, BufMut, Bytes};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::Generations;
use crate::{call::Context, error::Problem};

/// Says where an answer came from.
pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Of the encoding: another one is a miss.
const VERSION: u8 = 1;
/// Version, time and number of generations.
const HEAD_BYTES: usize = 1 + 8 + 1;
/// A page of twenty listings or posts fits, mostly.
const TYPICAL_BYTES: usize = 12 * 1024;
/// 128 bits in hexadecimal, and quotes.
const ETAG_BYTES: usize = 34;

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
        let mut body = Vec::with_capacity(TYPICAL_BYTES);
        serde_json::to_writer(&mut body, answer).map_err(Problem::internal)?;
        // Without spare capacity: what is kept takes what `size` says.
        let body = Bytes::from(body.into_boxed_slice());
        // It tells versions of one page apart and guards nothing, so it need not be cryptographic.
        let etag = HeaderValue::try_from(format!("\"{:032x}\"", xxh3_128(&body))).map_err(Problem::internal)?;
        Ok(Self { body, etag, made_at: now(), generations })
    }

    /// Of the tags, when it was made.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    #[cfg(test)]
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes it takes, about.
    pub fn size(&self) -> usize {
        self.body.len() + 256
    }

    /// As bytes, for a store outside of this process: a version, the generations and when it was made as big-endian
    /// numbers, the ETag, the body.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 8 * self.generations.len() + ETAG_BYTES + self.body.len());
        bytes.put_u8(VERSION);
        bytes.put_u64(self.made_at);
        // A key has a handful of tags.
        bytes.put_u8(u8::try_from(self.generations.len()).unwrap_or(u8::MAX));
        for generation in &*self.generations {
            bytes.put_u64(*generation);
        }
        bytes.put_slice(self.etag.as_bytes());
        bytes.put_slice(&self.body);
        bytes.into()
    }

    /// What [`Self::encode`] made, without copying the body; `None` where it is anything else.
    pub(super) fn decode(bytes: &Bytes) -> Option<Self> {
        let mut bytes = bytes.clone();
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let made_at = bytes.try_get_u64().ok()?;
        let count = bytes.try_get_u8().ok()?;
        let generations = (0..count).map(|_| bytes.try_get_u64()).collect::<Result<_, _>>().ok()?;
        if bytes.len() < ETAG_BYTES {
            return None;
        }
        let etag = HeaderValue::from_maybe_shared(bytes.split_to(ETAG_BYTES)).ok()?;
        Some(Self { body: bytes, etag, made_at, generations })
    }

    /// The answer to `call`: 304 where the caller has it already.
    pub(super) fn respond(&self, source: XCache, call: &Context) -> Response {
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
        headers.insert(header::AGE, HeaderValue::from(self.age(source)));
        let source = match source {
            XCache::Hit => "HIT",
            XCache::Miss => "MISS",
            XCache::Bypass => "BYPASS",
        };
        headers.insert(X_CACHE, HeaderValue::from_static(source));
        response
    }

    /// Seconds since it was made.
    fn age(&self, source: XCache) -> u64 {
        match source {
            XCache::Hit => now().saturating_sub(self.made_at),
            // Made for this call, even if the clock has gone on to the next second since.
            XCache::Miss | XCache::Bypass => 0,
        }
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
    use std::sync::Arc;

    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else_is() {
        for generations in [vec![], vec![1, u64::MAX, 3]] {
            let entry = Entry::new(&"answer", generations.into()).expect("serialises");
            let bytes = entry.encode();
            let decoded = Entry::decode(&bytes).expect("decodes");
            assert_eq!((&decoded.body, &decoded.etag, decoded.made_at), (&entry.body, &entry.etag, entry.made_at));
            assert_eq!(decoded.generations, entry.generations);
            for end in 0..bytes.len() - entry.body.len() {
                assert!(Entry::decode(&bytes.slice(..end)).is_none(), "{end} bytes");
            }
        }
        assert!(Entry::decode(&Bytes::from_static(&[0; 100])).is_none());
    }

    #[test]
    fn only_what_was_kept_has_an_age() {
        let mut entry = Entry::new(&"answer", Arc::default()).expect("serialises");
        entry.made_at -= 7;
        assert!((7..60).contains(&entry.age(XCache::Hit)));
        assert_eq!((entry.age(XCache::Miss), entry.age(XCache::Bypass)), (0, 0));
    }

    #[test]
    fn if_none_match_takes_a_list_weak_tags_and_a_star() {
        let etag = HeaderValue::from_static("\"b\"");
        let matches = |header: &'static str| matches(&HeaderValue::from_static(header), &etag);
        assert!(matches("\"b\"") && matches("\"a\", \"b\"") && matches("W/\"b\"") && matches("*"));
        assert!(!matches("\"a\"") && !matches("b") && !matches(""));
    }
}

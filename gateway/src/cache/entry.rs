//! A cached answer, and how it is given.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Buf, BufMut, Bytes};
use serde::Serialize;

use super::Generations;
use crate::{call::OpenCall, error::Problem, etag, rate_limit::Weight};

/// Says where an answer came from.
pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// Of the encoding: another one is a miss.
const VERSION: u8 = 2;
/// Version, time and number of generations.
const HEAD_BYTES: usize = 1 + 8 + 1;
/// A page of twenty listings or posts fits, mostly.
const TYPICAL_BYTES: usize = 12 * 1024;

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
    made: Instant,
    generations: Generations,
}

impl Entry {
    /// Of an answer that is of some `version`, or has none.
    pub(super) fn new(
        answer: &impl Serialize,
        version: Option<i64>,
        generations: Generations,
    ) -> Result<Self, Problem> {
        let mut body = Vec::with_capacity(TYPICAL_BYTES);
        serde_json::to_writer(&mut body, answer).map_err(Problem::internal)?;
        // Without spare capacity: what is kept takes what `size` says.
        let body = Bytes::from(body.into_boxed_slice());
        let etag = etag::of(&body, version)?;
        Ok(Self { body, etag, made: Instant::now(), generations })
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

    /// As bytes, for a store outside of this process: a version, when it was made (by the wall clock, which is all that
    /// processes have in common) and the generations as big-endian numbers, the ETag behind its length, the body.
    pub(super) fn encode(&self) -> Bytes {
        let length = HEAD_BYTES + 8 * self.generations.len() + 1 + self.etag.len() + self.body.len();
        let mut bytes = Vec::with_capacity(length);
        bytes.put_u8(VERSION);
        bytes.put_u64(unix_time().saturating_sub(self.made.elapsed()).as_secs());
        // A key has a handful of tags.
        bytes.put_u8(u8::try_from(self.generations.len()).unwrap_or(u8::MAX));
        for generation in &*self.generations {
            bytes.put_u64(*generation);
        }
        bytes.put_u8(u8::try_from(self.etag.len()).unwrap_or(u8::MAX));
        bytes.put_slice(self.etag.as_bytes());
        bytes.put_slice(&self.body);
        bytes.into()
    }

    /// What [`Self::encode`] made, without copying the body; `None` where it is anything else.
    ///
    /// Where the wall clocks of the two processes differ, or were set meanwhile, its age is wrong, but no nonsense: none is
    /// kept longer than `ttl`. (Redis knows how long it will keep it, but that is a command more for each hit.)
    pub(super) fn decode(bytes: &Bytes, ttl: Duration) -> Option<Self> {
        let mut bytes = bytes.clone();
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let made_at = Duration::from_secs(bytes.try_get_u64().ok()?);
        let (now, age) = (Instant::now(), unix_time().saturating_sub(made_at).min(ttl));
        let count = bytes.try_get_u8().ok()?;
        let generations = (0..count).map(|_| bytes.try_get_u64()).collect::<Result<_, _>>().ok()?;
        let etag_bytes = usize::from(bytes.try_get_u8().ok()?);
        if bytes.len() < etag_bytes {
            return None;
        }
        let etag = HeaderValue::from_maybe_shared(bytes.split_to(etag_bytes)).ok()?;
        Some(Self { body: bytes, etag, made: now.checked_sub(age).unwrap_or(now), generations })
    }

    /// The answer to `call`: 304 where the caller has it already.
    pub(super) fn respond(&self, source: XCache, call: &OpenCall) -> Response {
        let known = call.if_none_match.as_ref().is_some_and(|header| matches(header, &self.etag));
        let mut response = Response::new(if known { Body::empty() } else { Body::from(self.body.clone()) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            if !matches!(source, XCache::Hit) {
                // It was made all the same.
                response.extensions_mut().insert(Weight(self.body.len() as u64));
            }
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
            XCache::Hit => self.made.elapsed().as_secs(),
            // Made for this call, even if that took more than a second.
            XCache::Miss | XCache::Bypass => 0,
        }
    }
}

/// Whether an `If-None-Match` names `etag`, by the weak comparison of RFC 9110, section 8.8.3.2.
fn matches(header: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(header), Ok(etag)) = (header.to_str(), etag.to_str()) else { return false };
    header.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// The wall clock: time since the Unix epoch.
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else_is() {
        for (version, generations) in [(None, vec![]), (Some(i64::MAX), vec![1, u64::MAX, 3])] {
            let entry = Entry::new(&"answer", version, generations.into()).expect("serialises");
            let bytes = entry.encode();
            let decoded = Entry::decode(&bytes, TTL).expect("decodes");
            assert_eq!((&decoded.body, &decoded.etag), (&entry.body, &entry.etag));
            assert_eq!(decoded.generations, entry.generations);
            for end in 0..bytes.len() - entry.body.len() {
                assert!(Entry::decode(&bytes.slice(..end), TTL).is_none(), "{end} bytes");
            }
        }
        assert!(Entry::decode(&Bytes::from_static(&[0; 100]), TTL).is_none());
    }

    #[test]
    fn only_what_was_kept_has_an_age() {
        let mut entry = Entry::new(&"answer", None, Arc::default()).expect("serialises");
        entry.made -= Duration::from_secs(7);
        assert!((7..60).contains(&entry.age(XCache::Hit)));
        assert_eq!((entry.age(XCache::Miss), entry.age(XCache::Bypass)), (0, 0));
        let elsewhere = Entry::decode(&entry.encode(), TTL).expect("decodes");
        assert!((7..60).contains(&elsewhere.age(XCache::Hit)), "it ages on its way to another process too");
    }

    #[test]
    fn an_age_is_no_nonsense_whatever_the_clock_was_set_to() {
        let bytes = Entry::new(&"answer", None, Arc::default()).expect("serialises").encode();
        let day = Duration::from_secs(86_400);
        // As if it had been made when the clock showed another time.
        for (made_at, ages) in [
            (unix_time() + day, 0..=9),
            (unix_time() - day, 60..=69),
            (Duration::ZERO, 60..=69),
            (Duration::MAX, 0..=9),
        ] {
            let mut bytes = bytes.to_vec();
            bytes[1..9].copy_from_slice(&made_at.as_secs().to_be_bytes());
            let entry = Entry::decode(&bytes.into(), TTL).expect("decodes");
            assert!(ages.contains(&entry.age(XCache::Hit)), "{made_at:?}: {}", entry.age(XCache::Hit));
        }
    }

    #[test]
    fn if_none_match_takes_a_list_weak_tags_and_a_star() {
        let etag = HeaderValue::from_static("\"b\"");
        let matches = |header: &'static str| matches(&HeaderValue::from_static(header), &etag);
        assert!(matches("\"b\"") && matches("\"a\", \"b\"") && matches("W/\"b\"") && matches("*"));
        assert!(!matches("\"a\"") && !matches("b") && !matches(""));
    }
}

//! ETags, and what a change is asked of them: whoever changes something says by `If-Match` what they have seen.
//!
//! The ETag of a thing that has a version is `"{version}-{hash}"`. A change compares the version alone: what else an answer
//! shows beside the thing, such as the posts of a channel, is no reason to refuse it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use proto::errors;
use serde::Serialize;
use utoipa::IntoParams;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::Problem;

/// ETags that an `If-Match` names at most.
const MOST: usize = 100;
/// What no thing has: they begin with 1.
const NO_VERSION: i64 = 0;

/// An answer about something that has a version.
pub(crate) trait Versioned: Serialize {
    fn version(&self) -> i64;
}

/// Of a body. It tells versions of one page apart and guards nothing, so it need not be cryptographic.
pub(crate) fn of(body: &[u8], version: Option<i64>) -> Result<HeaderValue, Problem> {
    let hash = xxh3_128(body);
    let etag = match version {
        Some(version) => format!("\"{version}-{hash:032x}\""),
        None => format!("\"{hash:032x}\""),
    };
    HeaderValue::try_from(etag).map_err(Problem::internal)
}

/// The answer to a write: what it made, with its ETag.
pub(crate) fn answer(status: StatusCode, made: &impl Versioned) -> Result<Response, Problem> {
    let body = serde_json::to_vec(made).map_err(Problem::internal)?;
    let etag = of(&body, Some(made.version()))?;
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok((status, [json, (header::ETAG, etag)], body).into_response())
}

/// The header that says what a change is of: 428 where it is missing (RFC 6585, section 3).
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IfMatch {
    /// `ETag`s of what is to be changed, at most 100 with commas between them: 412 where it has another version by now. `*`
    /// changes it whatever it has become.
    #[param(
        rename = "If-Match", value_type = String, required = true, example = "*",
        pattern = r#"^(\*|"[0-9a-z-]+"(, "[0-9a-z-]+"){0,99})$"#
    )]
    pub(crate) versions: Vec<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        versions(&parts.headers).map(|versions| Self { versions })
    }
}

/// The versions of the ETags that are named; none for `*`, which is any.
fn versions(headers: &HeaderMap) -> Result<Vec<i64>, Problem> {
    let invalid =
        || Problem::invalid("ifMatch", format_args!("must be *, or at most {MOST} ETags with commas between them"));
    let mut versions = Vec::new();
    for value in headers.get_all(header::IF_MATCH) {
        let value = value.to_str().map_err(|_| invalid())?;
        // No ETag of ours has a comma in it: of another one each part is as unknown as all of it.
        for etag in value.split(',').map(str::trim).filter(|etag| !etag.is_empty()) {
            match etag {
                "*" => return Ok(Vec::new()),
                _ if !etag.contains('"') => return Err(invalid()),
                _ => versions.push(version(etag).unwrap_or(NO_VERSION)),
            }
        }
    }
    match versions.len() {
        0 => Err(errors::PRECONDITION_REQUIRED.into()),
        1..=MOST => Ok(versions),
        _ => Err(invalid()),
    }
}

/// The version in an ETag of ours. A weak one never matches (RFC 9110, section 13.1.1).
fn version(etag: &str) -> Option<i64> {
    let (version, _) = etag.strip_prefix('"')?.strip_suffix('"')?.split_once('-')?;
    version.parse().ok().filter(|version| *version > NO_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Vec<i64>, (u16, String)> {
        let headers = values.iter().map(|value| (header::IF_MATCH, HeaderValue::from_str(value).expect("a value")));
        let refused = |problem: Problem| (problem.status().as_u16(), problem.code().to_owned());
        versions(&headers.collect()).map_err(refused)
    }

    #[test]
    fn an_etag_names_its_version() {
        let etag = |body: &[u8], version| of(body, version).expect("an ETag");
        assert_eq!(read(&[etag(b"body", Some(7)).to_str().expect("text")]), Ok(vec![7]));
        assert_ne!(etag(b"body", Some(7)), etag(b"other", Some(7)));
        assert_eq!(etag(b"body", None).len(), 34);
    }

    #[test]
    fn several_are_named_any_is_any_and_what_is_not_ours_is_none() {
        assert_eq!(read(&["\"7-a\" , \"8-b\"", "\"9-c\""]), Ok(vec![7, 8, 9]));
        assert_eq!(read(&["*"]), Ok(vec![]));
        for unknown in ["\"abc\"", "W/\"7-a\"", "\"-7-a\"", "\"0-a\"", "\"99999999999999999999-a\"", "\"\"", "\"7-a"] {
            assert_eq!(read(&[unknown]), Ok(vec![0]), "{unknown}");
        }
    }

    #[test]
    fn what_is_missing_is_428_and_what_is_no_list_is_400() {
        for missing in [&[][..], &[""], &[" , "]] {
            assert_eq!(read(missing), Err((428, "precondition_required".to_owned())));
        }
        let many = |count| vec!["\"7-a\""; count].join(",");
        assert_eq!(read(&[&many(100)]).map(|versions| versions.len()), Ok(100));
        for wrong in [&many(101), "7-a", "\"7-a\", 8"] {
            assert_eq!(read(&[wrong]), Err((400, "validation_failed".to_owned())), "{wrong}");
        }
    }
}

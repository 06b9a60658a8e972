//! What handlers take from a request, each refusal a problem that names the field.

use std::{fmt::Display, str::FromStr};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use kernel::money::parse_decimal;
use proto::errors;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{error::Category, value::RawValue};

use crate::error::Problem;

/// A body of JSON, which [`crate::body`] has read: 415 for another content type, 400 for what is no JSON, 422 for JSON of
/// the wrong shape. Unknown fields are ignored.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(errors::UNSUPPORTED_MEDIA_TYPE.into());
        }
        let body = Bytes::from_request(request, state).await.map_err(Problem::internal)?;
        parse(&body).map(Self)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let malformed =
        |error: serde_json::Error| Problem::new(errors::MALFORMED_JSON, format!("the body is no JSON: {error}"));
    let wrong_shape =
        |field: String, message: &dyn Display| Problem::from(errors::INVALID_BODY).with_field(field, message);
    // serde would take an array as the fields of a struct in their order.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        IgnoredAny::deserialize(&mut json).and_then(|_| json.end()).map_err(malformed)?;
        return Err(wrong_shape(".".to_owned(), &"must be an object"));
    }
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match error.into_inner() {
            error if error.classify() == Category::Data => wrong_shape(path, &error),
            error => malformed(error),
        }
    })?;
    json.end().map_err(malformed)?;
    Ok(value)
}

/// `application/json`, or any `+json` type, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The query, as a struct; unknown parameters are ignored, `validation_failed` names the one that is wrong.
#[derive(Debug)]
pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        serde_path_to_error::deserialize(pairs)
            .map(Self)
            .map_err(|error| Problem::invalid(error.path().to_string(), error.inner()))
    }
}

/// Reads `Option<T>` from a query parameter, with the words of `T`'s own error.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Reads a whole number that is not negative from a query parameter.
pub(crate) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
    text.parse()
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format_args!("must be a whole number up to {}", u32::MAX)))
}

/// Reads a whole number from a body, also one that is written as `7.0`: to JSON Schema these are integers too. From its
/// text, since a float on the way would not hold every integer.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(raw) = Option::<&RawValue>::deserialize(deserializer)? else { return Ok(None) };
    let (sign, magnitude) = raw.get().strip_prefix('-').map_or((1, raw.get()), |rest| (-1, rest));
    parse_decimal(magnitude, 0)
        .map(|integer| Some(sign * integer))
        .map_err(|_| serde::de::Error::custom("expected a whole number of 64 bits"))
}

/// The `{id}` of a path.
#[derive(Debug)]
pub(crate) struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::invalid("id", "must be UTF-8"))?;
        text.parse().map(Self).map_err(|error| Problem::invalid("id", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default)]
        tags: Vec<String>,
    }

    #[test]
    fn broken_json_is_400_and_the_wrong_shape_is_422() {
        let outcome =
            |text: &str| parse::<Body>(text.as_bytes()).map_err(|p| (p.status().as_u16(), p.code().to_owned()));
        assert_eq!(outcome(r#"{"tags": ["a"], "unknown": 1}"#).expect("parses").tags, ["a"]);
        for broken in ["", "{", "{} {}", "nonsense", "{\"tags\": [}", "\u{feff}{}"] {
            assert_eq!(outcome(broken).expect_err(broken), (400, "malformed_json".to_owned()));
        }
        for shape in [r#"{"tags": 1}"#, r#"{"tags": [1]}"#, "[]", r#"[["a"]]"#, "1", "null", " \"text\""] {
            assert_eq!(outcome(shape).expect_err(shape), (422, "invalid_body".to_owned()));
        }
    }

    #[test]
    fn the_wrong_shape_names_its_place() {
        let problem = parse::<Body>(br#"{"tags": ["a", 1]}"#).expect_err("wrong");
        let text = format!("{problem:?}");
        assert!(text.contains("tags[1]") && text.contains("422"), "{text}");
    }

    #[test]
    fn integers_are_read_by_their_value() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "integer")]
            id: Option<i64>,
        }
        let id = |text: &str| parse::<Body>(text.as_bytes()).map(|body| body.id).map_err(|p| p.status().as_u16());
        for (text, expected) in [
            (r#"{"id": 7}"#, Some(7)),
            (r#"{"id": 7.0}"#, Some(7)),
            (r#"{"id": -7e1}"#, Some(-70)),
            (r#"{"id": 2251799813685247.0}"#, Some(2_251_799_813_685_247)),
            (r#"{"id": 9223372036854775807}"#, Some(i64::MAX)),
            (r#"{"id": null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(id(text), Ok(expected), "{text}");
        }
        for text in [r#"{"id": 7.5}"#, r#"{"id": 1e19}"#, r#"{"id": 9223372036854775808}"#, r#"{"id": "7"}"#] {
            assert_eq!(id(text), Err(422), "{text}");
        }
    }

    #[test]
    fn json_types_are_told_from_others() {
        let is = |value: &str| is_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().expect("value"))]));
        assert!(is("application/json") && is("Application/JSON; charset=utf-8") && is("application/merge-patch+json"));
        assert!(!is("text/plain") && !is("application/x-www-form-urlencoded") && !is("text/x+json"));
        assert!(!is_json(&HeaderMap::new()));
    }
}

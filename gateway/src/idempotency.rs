//! `Idempotency-Key`: what makes a call that makes something safe to repeat.

use axum::{extract::FromRequestParts, http::request::Parts};
use kernel::idempotency::{InvalidKey, Key};
use tonic::Request;
use utoipa::IntoParams;

use crate::{call::Call, error::Problem};

/// Name of the header, in lower case.
const HEADER: &str = "idempotency-key";

/// The header that makes a call safe to repeat.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct IdempotencyKey {
    /// 1 to 255 visible ASCII characters, one for each act, such as a UUID: a retry with it gets the first outcome, for 7 days
    /// where something was done (`IDEMPOTENCY_TTL` of the services), for an hour where it was refused. Keys are apart for each
    /// user and each operation.
    #[param(rename = "Idempotency-Key", value_type = String, required = false, pattern = "^[!-~]{1,255}$")]
    pub(crate) key: Option<String>,
}

impl IdempotencyKey {
    /// The request to a service, of the message that `with_key` makes. With a key it may be sent twice: a second attempt
    /// after a lost answer finds the first one's outcome.
    pub(crate) fn request<T>(self, call: &Call, with_key: impl FnOnce(Option<String>) -> T) -> Request<T> {
        if self.key.is_some() { call.repeatable(with_key(self.key)) } else { call.request(with_key(None)) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(Self { key: None }) };
        let invalid = |message: &dyn std::fmt::Display| Problem::invalid("idempotencyKey", message);
        if values.next().is_some() {
            return Err(invalid(&"must be there once at most"));
        }
        let text = value.to_str().map_err(|_| invalid(&InvalidKey))?;
        text.parse::<Key>().map_err(|error| invalid(&error))?;
        Ok(Self { key: Some(text.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    async fn read(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append(HEADER, HeaderValue::from_bytes(value).expect("a value"));
        }
        let key = IdempotencyKey::from_request_parts(&mut request.into_parts().0, &()).await;
        key.map(|key| key.key).map_err(|problem| format!("{problem:?}"))
    }

    #[tokio::test]
    async fn a_key_is_read_or_refused() {
        assert_eq!(read(&[]).await, Ok(None));
        let longest = "k".repeat(255);
        assert_eq!(read(&[longest.as_bytes()]).await, Ok(Some(longest)));
        let too_long = "k".repeat(256);
        for wrong in [&[b"".as_slice()][..], &[b"a b"], &["ä".as_bytes()], &[too_long.as_bytes()], &[b"a", b"a"]] {
            let refused = read(wrong).await.expect_err("invalid");
            assert!(refused.contains("idempotencyKey") && refused.contains("400"), "{refused}");
        }
    }
}

//! Who calls: proven by a token that every process verifies itself, never told.
//!
//! | to find | look in |
//! |---|---|
//! | the key that signs, the keys that verify | [`keys`] |
//! | what a token says, and whether it is good | [`Claims`], [`Verifier`] |
//! | how tokens are signed | `eddsa` |
//! | tokens that have ended before they expired | [`ended`] |
//!
//! [`identify`] puts the [`Identity`] of a request into its extensions; what needs a user takes a
//! [`Context`](crate::context::Context) of a caller, and cannot forget the check.

mod eddsa;
pub mod ended;
pub mod keys;
mod verifier;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use kernel::Error;

use crate::access::Notes;

pub use self::{
    ended::{Ended, News},
    keys::{Jwk, Jwks, Options, SigningKeys},
    verifier::{Claims, Unauthorized, Verifier},
};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Whom a request's token belongs to, in the request's extensions.
#[derive(Clone, Debug)]
pub struct Identity(pub Result<Arc<Claims>, Unauthorized>);

/// Verifies the token of a request, once. Whether one is needed, whoever answers says.
pub fn identify<B>(verifier: &Verifier, mut request: http::Request<B>) -> http::Request<B> {
    let identity = token(request.headers()).and_then(|token| verifier.verify(token));
    if let Ok(claims) = &identity {
        Notes::caller(request.extensions(), claims.sub);
    }
    request.extensions_mut().insert(Identity(identity));
    request
}

/// The token of `Authorization: Bearer <token>`, whose scheme's case does not matter (RFC 9110, section 11.1), or of
/// `x-auth-token`. Two of one are none.
pub fn token(headers: &HeaderMap) -> Result<&str, Unauthorized> {
    if let Some(authorization) = one(headers, &header::AUTHORIZATION)? {
        return match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
            _ => Err(Unauthorized::InvalidToken),
        };
    }
    one(headers, &X_AUTH_TOKEN)?.ok_or(Unauthorized::MissingToken)
}

/// The value of `Authorization` with which a service is to be called for whoever sent `headers`.
pub fn bearer(headers: &HeaderMap) -> Option<HeaderValue> {
    match headers.get(header::AUTHORIZATION) {
        Some(value) => Some(value.clone()),
        None => HeaderValue::try_from(format!("Bearer {}", one(headers, &X_AUTH_TOKEN).ok()??)).ok(),
    }
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Unauthorized> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::to_str).transpose().map_err(|_| Unauthorized::InvalidToken)?;
    if values.next().is_some() { Err(Unauthorized::InvalidToken) } else { Ok(first) }
}

impl From<Unauthorized> for Error {
    fn from(why: Unauthorized) -> Self {
        why.code().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_token_comes_in_either_header_and_its_scheme_in_any_case() {
        for pair in [("authorization", "Bearer a.b.c"), ("authorization", "bearer a.b.c"), ("x-auth-token", "a.b.c")] {
            let headers = headers(&[pair]);
            assert_eq!(token(&headers), Ok("a.b.c"), "{pair:?}");
            let passed_on = HeaderMap::from_iter([(header::AUTHORIZATION, bearer(&headers).expect("there"))]);
            assert_eq!(token(&passed_on), Ok("a.b.c"), "{pair:?}");
        }
        for nonsense in ["Basic a", "a.b.c", ""] {
            assert_eq!(token(&headers(&[("authorization", nonsense)])), Err(Unauthorized::InvalidToken), "{nonsense}");
        }
        assert_eq!(token(&HeaderMap::new()), Err(Unauthorized::MissingToken));
    }

    #[test]
    fn of_two_tokens_none_is_meant() {
        for name in ["authorization", "x-auth-token"] {
            let two = headers(&[(name, "Bearer a.b.c"), (name, "Bearer a.b.c")]);
            assert_eq!(token(&two), Err(Unauthorized::InvalidToken), "{name}");
        }
        let either = headers(&[("x-auth-token", "d.e.f"), ("authorization", "Bearer a.b.c")]);
        assert_eq!(token(&either), Ok("a.b.c"), "the standard one counts");
    }
}

//! Who calls: proven by a token that every process verifies itself, never told.
//!
//! | to find | look in |
//! |---|---|
//! | the key that signs, the keys that verify | [`keys`] |
//! | what a token says, and whether it is good | [`Claims`], [`Verifier`] |
//! | tokens that have ended before they expired | [`ended`] |
//!
//! [`identify`] puts the [`Identity`] of a request into its extensions; what needs a user takes it from there by
//! [`required`], and cannot forget the check.

pub mod ended;
pub mod keys;
mod verifier;

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderValue, header};
use kernel::{Caller, Error, Kind};

pub use self::{
    ended::{Ended, News},
    keys::{Jwk, Jwks, SigningKeys},
    verifier::{ADMIN, Claims, Unauthorized, Verifier},
};

/// Whom a request's token belongs to, in the request's extensions.
#[derive(Clone, Debug)]
pub struct Identity(pub Result<Arc<Claims>, Unauthorized>);

/// Verifies the token of a request, once. Whether one is needed, whoever answers says.
pub fn identify<B>(verifier: &Verifier, mut request: http::Request<B>) -> http::Request<B> {
    let identity = Identity(token(request.headers()).and_then(|token| verifier.verify(token)));
    request.extensions_mut().insert(identity);
    request
}

/// The token of `Authorization: Bearer <token>`, whose scheme's case does not matter (RFC 9110, section 11.1), or of
/// `x-auth-token`.
pub fn token(headers: &HeaderMap) -> Result<&str, Unauthorized> {
    fn text(value: &HeaderValue) -> Result<&str, Unauthorized> {
        value.to_str().map_err(|_| Unauthorized::InvalidToken)
    }

    let Some(authorization) = headers.get(header::AUTHORIZATION) else {
        return text(headers.get("x-auth-token").ok_or(Unauthorized::MissingToken)?);
    };
    match text(authorization)?.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Unauthorized::InvalidToken),
    }
}

/// What the token of a call says; UNAUTHENTICATED where there is none, or none that is good.
pub fn claims(extensions: &Extensions) -> Result<Arc<Claims>, Error> {
    match extensions.get::<Identity>() {
        Some(Identity(identity)) => Ok(identity.clone()?),
        None => Err(Unauthorized::MissingToken.into()),
    }
}

/// The caller of a call that acts for somebody; UNAUTHENTICATED where there is none.
pub fn required(extensions: &Extensions) -> Result<Caller, Error> {
    Ok(claims(extensions)?.caller())
}

/// The caller where there is a token; UNAUTHENTICATED where it is not good.
pub fn optional(extensions: &Extensions) -> Result<Option<Caller>, Error> {
    match required(extensions) {
        Ok(caller) => Ok(Some(caller)),
        Err(error) if error.reason() == Unauthorized::MissingToken.reason() => Ok(None),
        Err(error) => Err(error),
    }
}

impl From<Unauthorized> for Error {
    fn from(why: Unauthorized) -> Self {
        Self::new(Kind::Unauthenticated, why.reason(), why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_in_either_header_and_its_scheme_in_any_case() {
        let read = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().expect("name"), HeaderValue::from_static(value))]);
            token(&headers).map(str::to_owned)
        };
        let token = Ok("a.b.c".to_owned());
        assert_eq!(read("authorization", "Bearer a.b.c"), token);
        assert_eq!(read("authorization", "bearer a.b.c"), token);
        assert_eq!(read("x-auth-token", "a.b.c"), token);
        for nonsense in ["Basic a", "a.b.c", ""] {
            assert_eq!(read("authorization", nonsense), Err(Unauthorized::InvalidToken));
        }
        assert_eq!(token(&HeaderMap::new()), Err(Unauthorized::MissingToken));
    }
}

//! Tokens: JWT, signed with HS256 and nothing else.

use std::time::Duration;

use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use platform::Caller;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{config::JwtSecret, error::Problem};

/// What a token says.
#[derive(Debug, Deserialize, Serialize)]
struct Claims {
    /// Id of the user.
    sub: Uuid,
    username: String,
    /// When it was issued, seconds since the epoch.
    iat: i64,
    /// When it ceases to be valid, seconds since the epoch.
    exp: i64,
}

/// Why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    MissingToken,
    InvalidToken,
    TokenExpired,
}

impl From<Unauthorized> for Problem {
    fn from(why: Unauthorized) -> Self {
        match why {
            Unauthorized::MissingToken => {
                Self::unauthorized("missing_token", "the header Authorization: Bearer <token> is required")
            }
            Unauthorized::InvalidToken => Self::unauthorized("invalid_token", "the token is not valid"),
            Unauthorized::TokenExpired => Self::unauthorized("token_expired", "the token has expired, log in again"),
        }
    }
}

/// Issues and verifies tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    ttl: Duration,
}

impl Tokens {
    pub fn new(secret: &JwtSecret, ttl: Duration) -> Self {
        // The algorithm is pinned here; what a token's own header says only has to agree.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret.bytes()),
            decoding: DecodingKey::from_secret(secret.bytes()),
            validation,
            ttl,
        }
    }

    /// A token for a user, and how many seconds it is valid.
    pub fn issue(&self, id: Uuid, username: &str) -> Result<(String, u64), Problem> {
        let now = Utc::now().timestamp();
        let seconds = self.ttl.as_secs();
        let claims =
            Claims { sub: id, username: username.to_owned(), iat: now, exp: now.saturating_add_unsigned(seconds) };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        Ok((token.map_err(Problem::internal)?, seconds))
    }

    /// Who the bearer of `token` is.
    pub fn verify(&self, token: &str) -> Result<Caller, Unauthorized> {
        match jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation) {
            Ok(token) => Ok(Caller { id: token.claims.sub, name: token.claims.username }),
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => Err(Unauthorized::TokenExpired),
            Err(_) => Err(Unauthorized::InvalidToken),
        }
    }
}

//! Tokens: JWT, signed with HS256 and nothing else.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kernel::{Caller, Clock};
use moka::sync::Cache as Moka;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{config::JwtSecret, error::Problem};

/// Tokens that are known to be good, at most: some 4 MB.
const MAX_VERIFIED: u64 = 10_000;

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
    clock: Clock,
    /// What tokens say whose signature was found right: to look it up costs a tenth of finding it right again.
    verified: Moka<String, Arc<Claims>>,
}

impl Tokens {
    /// Tokens that are good for `ttl` by `clock`.
    pub fn new(secret: &JwtSecret, ttl: Duration, clock: Clock) -> Self {
        // The algorithm is pinned here; what a token's own header says only has to agree.
        let mut validation = Validation::new(Algorithm::HS256);
        // A token that was valid when it was verified need not be so any more.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret.bytes()),
            decoding: DecodingKey::from_secret(secret.bytes()),
            validation,
            ttl,
            clock,
            verified: Moka::new(MAX_VERIFIED),
        }
    }

    /// A token for a user, and how many seconds it is valid.
    pub fn issue(&self, id: Uuid, username: &str) -> Result<(String, u64), Problem> {
        let now = self.clock.unix_seconds();
        let seconds = self.ttl.as_secs();
        let claims =
            Claims { sub: id, username: username.to_owned(), iat: now, exp: now.saturating_add_unsigned(seconds) };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        Ok((token.map_err(Problem::internal)?, seconds))
    }

    /// Who the bearer of `token` is.
    pub fn verify(&self, token: &str) -> Result<Caller, Unauthorized> {
        let claims = match self.verified.get(token) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.claims(token)?);
                self.verified.insert(token.to_owned(), Arc::clone(&claims));
                claims
            }
        };
        if claims.exp <= self.clock.unix_seconds() {
            return Err(Unauthorized::TokenExpired);
        }
        Ok(Caller { id: claims.sub, name: claims.username.clone() })
    }

    /// What `token` says, where its signature is right.
    fn claims(&self, token: &str) -> Result<Claims, Unauthorized> {
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| Unauthorized::InvalidToken)?;
        // Whoever does not know all that is critical must refuse it (RFC 7515, section 4.1.11), and we know no extension.
        if token.header.crit.is_some() {
            return Err(Unauthorized::InvalidToken);
        }
        Ok(token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&secret.repeat(32).into(), Duration::from_secs(60), Clock::system())
    }

    #[test]
    fn a_token_is_good_until_it_expires_however_often_it_was_seen() {
        let tokens = tokens("x");
        let claims = |exp| Claims { sub: Uuid::nil(), username: "ada".to_owned(), iat: 0, exp };
        let sign = |exp| jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(exp), &tokens.encoding);
        let now = tokens.clock.unix_seconds();
        for _ in 0..2 {
            assert_eq!(tokens.verify(&sign(now + 60).expect("signs")).map(|caller| caller.name), Ok("ada".to_owned()));
            assert_eq!(tokens.verify(&sign(now).expect("signs")), Err(Unauthorized::TokenExpired));
        }
    }

    #[test]
    fn what_differs_from_a_good_token_is_none() {
        let (tokens, others) = (tokens("x"), tokens("y"));
        let (token, _) = tokens.issue(Uuid::nil(), "ada").expect("signs");
        tokens.verify(&token).expect("good");
        assert_eq!(others.verify(&token), Err(Unauthorized::InvalidToken));
        let (head, rest) = token.split_once('.').expect("three parts");
        let (claims, signature) = rest.split_once('.').expect("three parts");
        for forged in [format!("{head}.{claims}."), format!("{head}.{claims}"), format!("{token}A"), String::new()] {
            assert_eq!(tokens.verify(&forged), Err(Unauthorized::InvalidToken), "{forged}");
        }
        let (other, _) = tokens.issue(Uuid::max(), "bob").expect("signs");
        let claims = other.split('.').nth(1).expect("three parts");
        assert_eq!(tokens.verify(&format!("{head}.{claims}.{signature}")), Err(Unauthorized::InvalidToken));
    }

    #[test]
    fn what_is_critical_is_not_known_here() {
        let tokens = tokens("x");
        let (exp, sub) = (tokens.clock.unix_seconds() + 60, Uuid::nil());
        let claims = Claims { sub, username: "ada".to_owned(), iat: 0, exp };
        let mut header = Header::new(Algorithm::HS256);
        for (crit, is_good) in [(None, true), (Some(vec!["b64".to_owned()]), false), (Some(vec![]), false)] {
            header.crit = crit;
            let token = jsonwebtoken::encode(&header, &claims, &tokens.encoding).expect("signs");
            assert_eq!(tokens.verify(&token).is_ok(), is_good, "{:?}", header.crit);
        }
    }
}

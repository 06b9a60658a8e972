//! Tokens: the gateway alone makes them, of what the accounts service vouches for.

pub(crate) mod guesses;

use std::time::Duration;

use proto::{
    accounts::{self as rpc, words::Role},
    words::Numbered as _,
};
use runtime::identity::{Claims, News, SigningKeys, Unauthorized, Verifier};
use uuid::Uuid;

use crate::error::Problem;

/// Issues and verifies tokens.
#[derive(Debug)]
pub struct Auth {
    keys: SigningKeys,
    verifier: Verifier,
    ttl: Duration,
}

/// A fresh login.
#[derive(Debug)]
pub struct Session {
    pub token: String,
    /// Seconds.
    pub expires_in: u64,
    pub id: Uuid,
    pub username: String,
}

impl Auth {
    /// Tokens that are good for `ttl`, and verified by `verifier`.
    pub fn new(keys: SigningKeys, verifier: Verifier, ttl: Duration) -> Self {
        Self { keys, verifier, ttl }
    }

    /// What tells good tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The keys that sign.
    pub fn keys(&self) -> &SigningKeys {
        &self.keys
    }

    /// Takes note at once that a token has ended; others hear of it by the accounts service.
    pub fn forget(&self, claims: &Claims) {
        self.learn(News { tokens: vec![(claims.jti, claims.exp)], ..News::default() });
    }

    /// Likewise that all tokens of an account have, which were made when this one was or before.
    pub fn forget_all(&self, claims: &Claims) {
        self.learn(News { generations: vec![(claims.sub, claims.generation + 1)], ..News::default() });
    }

    fn learn(&self, news: News) {
        self.verifier.ended().note(news, self.verifier.clock().unix_seconds());
    }

    /// A token for whom the accounts service knows by the password.
    pub fn issue(&self, verified: rpc::VerifyPasswordResponse) -> Result<Session, Problem> {
        let user = verified.user.ok_or_else(|| Problem::internal("the accounts service sent no user"))?;
        let id = Uuid::try_parse(&user.id).map_err(Problem::internal)?;
        let roles = verified.roles.into_iter().filter_map(Role::of_number);
        let iat = self.verifier.clock().unix_seconds();
        let expires_in = self.ttl.as_secs();
        let claims = Claims {
            sub: id,
            username: user.username.clone(),
            roles: roles.map(|role| role.to_string()).collect(),
            jti: Uuid::new_v4(),
            generation: verified.generation,
            iat,
            exp: iat.saturating_add_unsigned(expires_in),
        };
        let token = self.keys.sign(&claims).map_err(Problem::internal)?;
        Ok(Session { token, expires_in, id, username: user.username })
    }
}

impl From<Unauthorized> for Problem {
    fn from(why: Unauthorized) -> Self {
        kernel::Error::from(why).into()
    }
}

//! Tokens: JWT (RFC 7519), signed with Ed25519 and nothing else.

use std::{collections::HashMap, fmt, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kernel::{Caller, Clock, error::Code};
use moka::sync::Cache;
use proto::{accounts::words::Role, errors};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ended, Jwks, eddsa};

/// Tokens that are known to be good, at most: some 6 MB.
const MAX_VERIFIED: u64 = 10_000;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claims {
    /// Id of the user.
    pub sub: Uuid,
    pub username: String,
    /// What the user may do beyond its own: [`Role`]s.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Id of the token.
    pub jti: Uuid,
    /// Of the account when the token was issued: when that is raised, the token has ended.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// When it was issued, seconds since the epoch.
    pub iat: i64,
    /// When it ceases to be valid, seconds since the epoch.
    pub exp: i64,
}

impl Claims {
    /// The user that it speaks of.
    pub fn caller(&self) -> Caller {
        let is_admin = self.roles.iter().any(|role| role == Role::Admin.as_str());
        Caller { id: self.sub, name: self.username.clone(), is_admin }
    }
}

/// Why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthorized {
    MissingToken,
    InvalidToken,
    TokenExpired,
}

impl Unauthorized {
    pub fn code(self) -> &'static Code {
        match self {
            Self::MissingToken => errors::MISSING_TOKEN,
            Self::InvalidToken => errors::INVALID_TOKEN,
            Self::TokenExpired => errors::TOKEN_EXPIRED,
        }
    }
}

/// Tells good tokens. Clones share what they know.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    /// By their ids.
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    clock: Clock,
    ended: Ended,
    /// What tokens say whose signature was found right: to look it up costs a tenth of finding it right again.
    verified: Cache<String, Arc<Claims>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.0.keys.keys()).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Of tokens that one of `keys` has signed, and that have not ended by `clock`, nor before as far as `ended` knows.
    pub fn new(keys: &Jwks, clock: Clock, ended: Ended) -> anyhow::Result<Self> {
        eddsa::install();
        // The algorithm is pinned here; what a token's own header says only has to agree.
        let mut validation = Validation::new(Algorithm::EdDSA);
        // A token that was valid when it was verified need not be so any more.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        let keys = keys.verifying()?.into_iter().collect();
        Ok(Self(Arc::new(Inner { keys, validation, clock, ended, verified: Cache::new(MAX_VERIFIED) })))
    }

    /// What is known of tokens that have ended.
    pub fn ended(&self) -> &Ended {
        &self.0.ended
    }

    /// The clock by which tokens end.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// What a good `token` says.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, Unauthorized> {
        let verified = &self.0.verified;
        let claims = match verified.get(token) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.read(token)?);
                verified.insert(token.to_owned(), Arc::clone(&claims));
                claims
            }
        };
        self.is_good(&claims).then_some(claims).ok_or(Unauthorized::TokenExpired)
    }

    /// Whether a token that was good and says `claims` has not ended since.
    pub fn is_good(&self, claims: &Claims) -> bool {
        claims.exp > self.0.clock.unix_seconds() && !self.0.ended.has(claims)
    }

    /// What `token` says, where its signature is right.
    fn read(&self, token: &str) -> Result<Claims, Unauthorized> {
        let invalid = |_| Unauthorized::InvalidToken;
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        // Whoever does not know all that is critical must refuse it (RFC 7515, section 4.1.11), and we know no extension.
        if header.crit.is_some() {
            return Err(Unauthorized::InvalidToken);
        }
        let key = header.kid.and_then(|kid| self.0.keys.get(&kid)).ok_or(Unauthorized::InvalidToken)?;
        Ok(jsonwebtoken::decode::<Claims>(token, key, &self.0.validation).map_err(invalid)?.claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use ed25519_dalek::{
        SigningKey,
        pkcs8::{DecodePrivateKey, EncodePrivateKey},
    };
    use hmac::{Hmac, KeyInit, Mac};
    use jsonwebtoken::{EncodingKey, Header};
    use sha2::Sha256;

    use super::*;
    use crate::identity::{SigningKeys, ended::News};

    fn keys() -> SigningKeys {
        SigningKeys::load(&SigningKeys::generate().expect("key")).expect("reads")
    }

    fn verifier(keys: &SigningKeys) -> Verifier {
        Verifier::new(keys.jwks(), Clock::system(), Ended::default()).expect("verifier")
    }

    fn claims(exp: i64) -> Claims {
        let (sub, jti) = (Uuid::new_v4(), Uuid::new_v4());
        Claims { sub, username: "ada".to_owned(), roles: Vec::new(), jti, generation: 1, iat: 0, exp }
    }

    #[test]
    fn a_token_is_good_until_it_expires_however_often_it_was_seen() {
        let keys = keys();
        let verifier = verifier(&keys);
        let now = verifier.clock().unix_seconds();
        let (good, expired) = (claims(now + 60), claims(now));
        for _ in 0..2 {
            assert_eq!(verifier.verify(&keys.sign(&good).expect("signs")), Ok(Arc::new(good.clone())));
            assert_eq!(verifier.verify(&keys.sign(&expired).expect("signs")), Err(Unauthorized::TokenExpired));
        }
    }

    #[test]
    fn a_token_ends_by_itself_or_with_its_generation() {
        let keys = keys();
        let verifier = verifier(&keys);
        let now = verifier.clock().unix_seconds();
        let (one, other) = (claims(now + 60), claims(now + 60));
        let [first, second] = [&one, &other].map(|claims| keys.sign(claims).expect("signs"));
        let good = |token: &str| verifier.verify(token).is_ok();
        assert!(good(&first) && good(&second));
        let token = News { tokens: vec![(one.jti, one.exp)], ..News::default() };
        assert_eq!(verifier.ended().learn(token.clone(), now), token);
        assert!(verifier.ended().learn(token, now).is_empty(), "it is not new");
        assert!(!good(&first) && good(&second));
        let raised = |generation| News { generations: vec![(other.sub, generation)], ..News::default() };
        verifier.ended().learn(raised(2), now);
        assert!(!good(&second), "the account's generation is higher than the token's");
        verifier.ended().learn(raised(1), now);
        assert!(!good(&second), "what is said late does not bring it back");
        let newer = keys.sign(&Claims { generation: 2, ..other }).expect("signs");
        assert!(good(&newer));
    }

    #[test]
    fn keys_turn_over() {
        let (old, new) = (SigningKeys::generate().expect("key"), SigningKeys::generate().expect("key"));
        let before = SigningKeys::load(&old).expect("reads");
        let token = before.sign(&claims(i64::MAX)).expect("signs");
        let after = SigningKeys::load(&format!("{new}{old}")).expect("reads");
        assert!(verifier(&after).verify(&token).is_ok(), "the old key's tokens are still good");
        assert!(verifier(&SigningKeys::load(&new).expect("reads")).verify(&token).is_err());
    }

    #[test]
    fn what_is_critical_is_not_known_here() {
        let pem = SigningKeys::generate().expect("key");
        let keys = SigningKeys::load(&pem).expect("reads");
        let key = SigningKey::from_pkcs8_pem(&pem).and_then(|key| key.to_pkcs8_der()).expect("reads");
        let key = EncodingKey::from_ed_der(key.as_bytes());
        let mut header = Header { kid: Some(keys.jwks().keys[0].kid.clone()), ..Header::new(Algorithm::EdDSA) };
        for (crit, is_good) in [(None, true), (Some(vec!["b64".to_owned()]), false), (Some(vec![]), false)] {
            header.crit = crit;
            let token = jsonwebtoken::encode(&header, &claims(i64::MAX), &key).expect("signs");
            assert_eq!(verifier(&keys).verify(&token).is_ok(), is_good, "{:?}", header.crit);
        }
    }

    #[test]
    fn what_differs_from_a_good_token_is_none() {
        let keys = keys();
        let verifier = verifier(&keys);
        let invalid = |token: &str| assert_eq!(verifier.verify(token), Err(Unauthorized::InvalidToken), "{token}");
        let token = keys.sign(&claims(i64::MAX)).expect("signs");
        assert!(verifier.verify(&token).is_ok());
        let [head, claimed, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
        for forged in [format!("{head}.{claimed}."), format!("{head}.{claimed}"), format!("{token}A"), String::new()] {
            invalid(&forged);
        }
        let other = keys.sign(&claims(i64::MAX)).expect("signs");
        let claimed = other.split('.').nth(1).expect("three parts");
        invalid(&format!("{head}.{claimed}.{signature}"));
        invalid(&self::keys().sign(&claims(i64::MAX)).expect("signs"));
        // The public key is no secret: it must not pass for one.
        let jwk = &keys.jwks().keys[0];
        let header = serde_json::json!({"alg": "HS256", "kid": jwk.kid});
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let json = serde_json::to_vec(&claims(i64::MAX)).expect("JSON");
        let signed = format!("{}.{}", part(header.to_string().as_bytes()), part(&json));
        let mac = Hmac::<Sha256>::new_from_slice(jwk.x.as_bytes()).expect("any length").chain_update(&signed);
        invalid(&format!("{signed}.{}", part(&mac.finalize().into_bytes())));
    }
}

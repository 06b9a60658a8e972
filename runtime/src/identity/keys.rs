//! Keys: Ed25519 (RFC 8032). One signs, and any number verify, so that keys turn over without anybody being logged out.

use std::{fmt, path::Path};

use anyhow::{Context, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::eddsa;

/// Bytes of a public key.
const PUBLIC_KEY_BYTES: usize = 32;

/// The keys that tokens are verified with: a JSON Web Key Set (RFC 7517) of Ed25519 keys (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Jwks {
    pub keys: Vec<Jwk>,
}

/// One public key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The key, 32 bytes in base64url.
    pub x: String,
    /// Its thumbprint (RFC 7638).
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
}

/// What a replica verifies tokens with.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// Keys that tokens are verified with: a JSON Web Key Set, or a file with one. A gateway shows its own at
    /// /.well-known/jwks.json.
    #[arg(long, env = "JWKS")]
    pub jwks: Option<String>,
}

impl Options {
    /// The keys; an error where there are none, or what is given is none.
    pub fn keys(&self) -> anyhow::Result<Jwks> {
        let jwks = self.jwks.as_deref();
        Jwks::load(jwks.context("JWKS is missing: the keys that tokens are verified with; `capsim keys` makes them")?)
    }
}

impl Jwks {
    /// Reads a set, or the file that `text` is the path of. The error says what is wrong and names `JWKS`.
    pub fn load(text: &str) -> anyhow::Result<Self> {
        let text = inline_or_file(text, '{', "JWKS")?;
        let set: Self = serde_json::from_str(&text).context("JWKS must be a JSON Web Key Set of Ed25519 keys")?;
        ensure!(!set.keys.is_empty(), "JWKS has no keys");
        set.verifying()?;
        Ok(set)
    }

    /// The keys by their ids.
    pub(super) fn verifying(&self) -> anyhow::Result<Vec<(String, DecodingKey)>> {
        let key = |jwk: &Jwk| {
            let is_ed25519 = jwk.kty == "OKP" && jwk.crv == "Ed25519";
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(&jwk.x).unwrap_or_default();
            ensure!(is_ed25519 && bytes.len() == PUBLIC_KEY_BYTES, "JWKS: {} is no Ed25519 key", jwk.kid);
            Ok((jwk.kid.clone(), DecodingKey::from_ed_der(&bytes)))
        };
        self.keys.iter().map(key).collect()
    }
}

/// The key that signs, and those that did before it, whose tokens are still good.
#[derive(Clone)]
pub struct SigningKeys {
    current: EncodingKey,
    kid: String,
    jwks: Jwks,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// A new random key, as PKCS#8 in PEM.
    pub fn generate() -> anyhow::Result<String> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        Ok(SigningKey::from_bytes(&seed).to_pkcs8_pem(LineEnding::LF)?.to_string())
    }

    /// Reads private keys, PKCS#8 in PEM one after the other, or the file that `text` is the path of. The first one signs,
    /// all of them verify. The error names `JWT_KEY` and never shows a key.
    pub fn load(text: &str) -> anyhow::Result<Self> {
        const END: &str = "-----END PRIVATE KEY-----";
        eddsa::install();
        let text = inline_or_file(text, '-', "JWT_KEY")?;
        let keys = text.split_inclusive(END).map(str::trim).filter(|block| !block.is_empty());
        let keys = keys.map(|block| SigningKey::from_pkcs8_pem(block).ok()).collect::<Option<Vec<_>>>();
        let keys =
            keys.context("JWT_KEY must be an Ed25519 key, PKCS#8 in PEM, or a file with one: `capsim keys` makes it")?;
        let current = keys.first().context("JWT_KEY is empty: `capsim keys` makes a key")?;
        let jwks = Jwks { keys: keys.iter().map(public).collect() };
        let kid = jwks.keys.first().map(|key| key.kid.clone()).unwrap_or_default();
        let current = EncodingKey::from_ed_der(current.to_pkcs8_der()?.as_bytes());
        Ok(Self { current, kid, jwks })
    }

    /// What verifies these keys' tokens.
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// A token that says `claims`: [`super::Claims`] but in tests.
    pub fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        Ok(jsonwebtoken::encode(&header, claims, &self.current)?)
    }
}

/// What stands in a variable itself, where it begins as such a text does, or in the file that it names.
fn inline_or_file(text: &str, first: char, variable: &str) -> anyhow::Result<String> {
    if text.trim_start().starts_with(first) {
        // A file of variables has one line for each.
        return Ok(text.replace("\\n", "\n"));
    }
    std::fs::read_to_string(Path::new(text)).with_context(|| format!("{variable} names a file that cannot be read"))
}

fn public(key: &SigningKey) -> Jwk {
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    // RFC 7638, section 3: the required members in lexicographic order, without white space.
    let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
    let kid = BASE64_URL_SAFE_NO_PAD.encode(thumbprint);
    Jwk { kty: "OKP".into(), crv: "Ed25519".into(), x, kid, alg: "EdDSA".into(), usage: "sig".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_its_thumbprint() {
        // RFC 8037, appendices A.1 to A.3.
        let seed = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("base64");
        let key = public(&SigningKey::from_bytes(&seed.try_into().expect("32 bytes")));
        assert_eq!(key.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn keys_are_read_from_a_text_or_a_file_and_the_first_one_signs() {
        let (new, old) = (SigningKeys::generate().expect("key"), SigningKeys::generate().expect("key"));
        let both = SigningKeys::load(&format!("{new}\n{old}")).expect("reads");
        assert_eq!(both.jwks.keys.len(), 2);
        assert_eq!(both.kid, SigningKeys::load(&new).expect("reads").kid);
        assert_eq!(Jwks::load(&serde_json::to_string(both.jwks()).expect("json")).expect("reads"), both.jwks);
        let line = new.replace('\n', "\\n");
        assert_eq!(SigningKeys::load(&line).expect("reads").kid, both.kid, "also in one line");
        let file = std::env::temp_dir().join(format!("{}.pem", uuid::Uuid::new_v4()));
        std::fs::write(&file, &old).expect("written");
        let read = SigningKeys::load(file.to_str().expect("UTF-8")).expect("reads");
        std::fs::remove_file(file).expect("removed");
        assert_eq!(read.kid, both.jwks.keys[1].kid);
    }

    #[test]
    fn what_is_no_key_is_refused_by_the_name_of_its_variable() {
        for bad in ["", "/nowhere", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"] {
            let error = format!("{:?}", SigningKeys::load(bad).expect_err(bad));
            assert!(error.contains("JWT_KEY") && !error.contains("hunter2"), "{error}");
        }
        let short = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"k","alg":"EdDSA","use":"sig"}]}"#;
        for bad in ["{}", "/nowhere", r#"{"keys":[]}"#, short] {
            assert!(format!("{:?}", Jwks::load(bad).expect_err(bad)).contains("JWKS"));
        }
    }
}

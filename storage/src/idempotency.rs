//! Calls that are safe to repeat: what the first call with an idempotency key was told, every later one is told too.
//!
//! The one design for every act that takes a key, in every service and on every store. A store that is given a [`Claim`]
//! looks for its [`Record`] in the act itself, and writes one in the same act where there is none: so either both the act
//! and its record are there or neither. Of calls with one key at once the store's unique key lets one through; the others
//! begin again and find its record.
//!
//! Only what is definite is remembered: what was done, for [`Options::idempotency_ttl`], and what was refused, for an hour
//! of it at most, since that has written nothing. What failed says nothing about the act, and is to be tried again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
pub use kernel::idempotency::Key;
use kernel::time::seconds;
use proto::errors::IDEMPOTENCY_KEY_REUSED;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// How long a refusal is remembered at most: it wrote nothing, and a packet that is late by more is not known.
const REFUSALS: Duration = Duration::from_secs(3600);
/// What [`Options::idempotency_ttl`] is where it is not said.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// For how long calls may be repeated; the same on all replicas of a service.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// How long what a call with an Idempotency-Key did is remembered, seconds (1 to 31536000); 7 days by default. A
    /// refusal is for an hour at most.
    #[arg(long, env = "IDEMPOTENCY_TTL", default_value = "604800", value_parser = seconds::<1, 31_536_000>)]
    pub idempotency_ttl: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { idempotency_ttl: WEEK }
    }
}

/// A call that may come again. Keys are apart for each user and each RPC.
#[derive(Clone, Debug)]
pub struct Claim {
    pub user: Uuid,
    /// Name of the RPC, such as `PurchaseItem`.
    pub rpc: &'static str,
    key: Key,
    /// Tells one request from another: 32 hex digits.
    request: String,
}

impl Claim {
    /// What is asked is `request`, checked and in the words of the domain: however it was written, it is the same.
    pub fn new(user: Uuid, rpc: &'static str, key: Key, request: &impl Serialize) -> Self {
        // What a domain's request has are texts, numbers and words: these always serialise.
        let request = serde_json::to_vec(request).unwrap_or_default();
        // Nobody but the key's owner could gain by two requests that look the same: no need for a cryptographic hash.
        Self { user, rpc, key, request: format!("{:032x}", xxh3_128(&request)) }
    }

    pub fn key(&self) -> &str {
        self.key.as_str()
    }
}

/// What the first call was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As in its [`Claim`].
    pub request: String,
    pub is_refusal: bool,
    /// JSON of a `Result`: what was done, or why it was refused.
    pub outcome: String,
    pub created_at: DateTime<Utc>,
}

/// The key was used for another request before: `idempotency_key_reused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", IDEMPOTENCY_KEY_REUSED.meaning())]
pub struct KeyReused;

impl From<KeyReused> for kernel::Error {
    fn from(_: KeyReused) -> Self {
        IDEMPOTENCY_KEY_REUSED.into()
    }
}

/// Why a record says nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error("a record of an idempotency key is damaged")]
    Damaged(#[from] serde_json::Error),
}

/// The refusal of an act that is never refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub enum Never {}

impl Record {
    /// What is to be remembered of the act of a `claim` that ended so, at `at`.
    pub fn new<T: Serialize, R: Serialize>(
        claim: &Claim,
        outcome: &Result<T, R>,
        at: DateTime<Utc>,
    ) -> Result<Self, RecallError> {
        let (request, is_refusal) = (claim.request.clone(), outcome.is_err());
        Ok(Self { request, is_refusal, outcome: serde_json::to_string(outcome)?, created_at: at })
    }

    /// What a later call is told: `None` where this does not count any more at `at`, and is to be forgotten.
    pub fn recall<T: DeserializeOwned, R: DeserializeOwned>(
        &self,
        claim: &Claim,
        retention: Retention,
        at: DateTime<Utc>,
    ) -> Result<Option<Result<T, R>>, RecallError> {
        if self.created_at <= retention.since(self.is_refusal, at) {
            return Ok(None);
        }
        if self.request != claim.request {
            return Err(KeyReused.into());
        }
        Ok(Some(serde_json::from_str(&self.outcome)?))
    }
}

/// How long records count, from the first call on.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    done: Duration,
}

impl Retention {
    pub fn new(options: &Options) -> Self {
        Self { done: options.idempotency_ttl }
    }

    /// At `at`, records count that were made after this.
    pub fn since(self, is_refusal: bool, at: DateTime<Utc>) -> DateTime<Utc> {
        at - if is_refusal { self.done.min(REFUSALS) } else { self.done }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use kernel::time;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    fn parse(ttl: &str) -> Result<Duration, String> {
        let flags = Flags::try_parse_from(["test", &format!("--idempotency-ttl={ttl}")]);
        flags.map(|flags| flags.options.idempotency_ttl).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_kept_for_a_second_to_a_year() {
        for seconds in [1, 31_536_000] {
            assert_eq!(parse(&seconds.to_string()), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["0", "31536001", "7d", ""] {
            let error = parse(wrong).expect_err("invalid");
            assert!(error.contains("idempotency-ttl") && error.contains("1 to 31536000"), "{error}");
        }
        let default = Flags::try_parse_from(["test"]).expect("valid").options;
        assert_eq!(default.idempotency_ttl, Options::default().idempotency_ttl);
    }

    #[test]
    fn refusals_count_for_an_hour_at_most() {
        let at = time::now();
        for (ttl, refusals) in [(604_800, 3600), (3601, 3600), (3600, 3600), (3599, 3599), (1, 1)] {
            let retention = Retention::new(&Options { idempotency_ttl: Duration::from_secs(ttl) });
            assert_eq!((at - retention.since(false, at)).num_seconds().unsigned_abs(), ttl);
            assert_eq!((at - retention.since(true, at)).num_seconds(), refusals);
        }
    }

    #[test]
    fn a_record_is_recalled_for_the_same_request_and_while_it_counts() {
        let claim = |request: &str| Claim::new(Uuid::nil(), "Test", "key".parse().expect("key"), &request);
        let (at, retention) = (time::now(), Retention::new(&Options::default()));
        let hour = Duration::from_secs(3600);
        for (outcome, counts) in [(Ok(7), WEEK), (Err("no".to_owned()), hour)] {
            let record = Record::new::<u8, String>(&claim("one"), &outcome, at).expect("serialises");
            let recall = |request, at| record.recall::<u8, String>(&claim(request), retention, at);
            let last = at + counts - Duration::from_millis(1);
            assert_eq!(recall("one", last).expect("recalls"), Some(outcome));
            assert!(matches!(recall("other", last), Err(RecallError::KeyReused(_))));
            assert_eq!(recall("other", at + counts).expect("is over"), None);
        }
    }
}

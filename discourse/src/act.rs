//! An act: what is the same of all that is done here.

use chrono::{DateTime, Utc};
use kernel::{Caller, time};
use runtime::context::Context;
use storage::idempotency::Claim;
use uuid::Uuid;

/// Of each thing that is new.
pub const FIRST_VERSION: i64 = 1;

/// Who does something, when, and in which trace.
#[derive(Clone, Debug)]
pub struct Act {
    pub by: Uuid,
    pub at: DateTime<Utc>,
    /// How it is known again, where it may come again.
    pub claim: Option<Claim>,
    /// Goes on in whoever hears of it.
    pub traceparent: Option<String>,
}

impl Act {
    /// What the caller does now.
    pub fn new(context: &Context<Caller>, claim: Option<Claim>) -> Self {
        let traceparent = context.traceparent().map(str::to_owned);
        Self { by: context.caller.id, at: time::now(), claim, traceparent }
    }
}

/// Which versions of a thing its caller has seen, and may change: none stands for whichever it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(pub Vec<i64>);

impl Versions {
    pub fn allow(&self, version: i64) -> bool {
        self.0.is_empty() || self.0.contains(&version)
    }
}

/// For what was kept before things had versions.
pub(crate) fn first_version() -> i64 {
    FIRST_VERSION
}

//! Why a call did not succeed.

use std::time::Duration;

use kernel::error::Code;
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};

/// Characters of an answer that is told of.
const SHOWN: usize = 80;

/// Why a call did not succeed. Only of a [`Problem`] is known what happened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The gateway refused.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// No whole answer came in time.
    #[error("no answer")]
    NoAnswer(#[from] reqwest::Error),
    /// What answered is no gateway, or one of another version.
    #[error("HTTP {status} with an answer that cannot be read: {begins:?}")]
    Unreadable {
        status: StatusCode,
        /// Its first characters.
        begins: String,
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn unreadable(status: StatusCode, body: &str, source: serde_json::Error) -> Self {
        Self::Unreadable { status, begins: body.chars().take(SHOWN).collect(), source }
    }

    /// Whether the gateway refused with this code.
    pub fn is(&self, code: &Code) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == code.as_str())
    }

    /// How long the gateway asks to wait before another try, where it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after.map(Duration::from_secs),
            _ => None,
        }
    }
}

/// A refusal, as in RFC 9457.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{status} {code}: {detail}{}", .errors.iter().map(|error| format!("; {} {}", error.field, error.message)).collect::<String>())]
pub struct Problem {
    /// Always `about:blank`.
    pub r#type: String,
    /// The HTTP status in words.
    pub title: String,
    pub status: u16,
    /// For a person.
    pub detail: String,
    /// A word of `proto::errors`, or one that is newer than this client.
    pub code: String,
    /// The fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    pub request_id: String,
    /// From the header: seconds until another try makes sense.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// One field that broke a rule.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub field: String,
    /// What would be right.
    pub message: String,
}

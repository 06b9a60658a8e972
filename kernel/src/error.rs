//! The closed set of error kinds, and what an error says to its caller.
//!
//! A domain error says once which rule it broke ([`Code`], a stable word that has its [`Kind`]) and what a person should
//! read. `proto::errors` has all codes, `runtime::status` the one table to gRPC and HTTP.

use std::{borrow::Cow, error::Error as StdError, fmt};

use serde::{Serialize, Serializer};

/// What went wrong, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
    DeadlineExceeded,
    Internal,
}

/// What went wrong, for a program: a stable word to switch on. All of them stand in `proto::errors`.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    kind: Kind,
    word: &'static str,
    meaning: &'static str,
    http: Option<u16>,
}

impl Code {
    /// For the list of all codes alone.
    pub const fn new(kind: Kind, word: &'static str, meaning: &'static str) -> Self {
        Self { kind, word, meaning, http: None }
    }

    /// The same with an HTTP status that is not its kind's.
    #[must_use]
    pub const fn with_http(self, status: u16) -> Self {
        Self { http: Some(status), ..self }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The word itself, in snake_case.
    pub fn as_str(&self) -> &'static str {
        self.word
    }

    /// What it means, as an error's message may read.
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// The HTTP status, where that is not its kind's.
    pub fn http(&self) -> Option<u16> {
        self.http
    }
}

/// As its word.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word)
    }
}

/// One or more fields are not valid.
pub const VALIDATION_FAILED: &Code =
    &Code::new(Kind::InvalidArgument, "validation_failed", "one or more fields are not valid");
/// An internal error occurred.
pub const INTERNAL: &Code = &Code::new(Kind::Internal, "internal", "an internal error occurred");
/// No replica of the service can be reached, or not what it needs.
pub const UNAVAILABLE: &Code = &Code::new(Kind::Unavailable, "unavailable", "no replica of the service can be reached");

/// One field that broke a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the field as the contract spells it (proto: snake_case).
    pub field: Cow<'static, str>,
    /// What would be right.
    pub message: Cow<'static, str>,
}

/// An error on its way to a caller.
#[derive(Debug)]
pub struct Error {
    code: &'static Code,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its code and a sentence for a person.
    pub fn new(code: &'static Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), violations: Vec::new(), source: None }
    }

    /// `validation_failed`, with a violation a field.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let mut error = Self::from(VALIDATION_FAILED);
        error.violations = violations;
        error
    }

    /// Something that must not happen; the cause goes to the log and never to the caller.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::from(INTERNAL);
        error.source = Some(source.into());
        error
    }

    /// A dependency that is down or too slow; the cause goes to the log and never to the caller.
    pub fn unavailable(what: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(UNAVAILABLE, format!("{what} is not available at the moment"));
        error.source = Some(source.into());
        error
    }

    /// Names a field at fault.
    #[must_use]
    pub fn with_field(mut self, field: &'static str, message: &'static str) -> Self {
        self.violations.push(Violation { field: field.into(), message: message.into() });
        self
    }

    pub fn kind(&self) -> Kind {
        self.code.kind
    }

    pub fn code(&self) -> &'static Code {
        self.code
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What is for the log and never for the caller.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.source()
    }
}

/// One that has nothing to add to what its code means.
impl From<&'static Code> for Error {
    fn from(code: &'static Code) -> Self {
        Self::new(code, code.meaning)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

/// An error and all of its causes in one line, for logs.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_tells_every_cause() {
        let inner = Error::unavailable("the disk", std::io::Error::other("no space left"));
        let outer = Error::internal(inner);
        assert_eq!(
            Chain(&outer).to_string(),
            "an internal error occurred: the disk is not available at the moment: no space left"
        );
    }
}

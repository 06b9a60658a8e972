//! The closed set of error kinds, and what an error says to its caller.
//!
//! A domain error says once what it is ([`Kind`]), which rule it broke (`reason`, a stable snake_case word) and what a
//! person should read. `runtime::status` has the one table to gRPC and HTTP.

use std::{borrow::Cow, error::Error as StdError, fmt};

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
    kind: Kind,
    reason: &'static str,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with its stable `reason` and a sentence for a person.
    pub fn new(kind: Kind, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, reason, message: message.into(), violations: Vec::new(), source: None }
    }

    /// `validation_failed`, with a violation a field.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let mut error = Self::new(Kind::InvalidArgument, "validation_failed", "one or more fields are not valid");
        error.violations = violations;
        error
    }

    /// Something that must not happen; the cause goes to the log and never to the caller.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(Kind::Internal, "internal", "an internal error occurred");
        error.source = Some(source.into());
        error
    }

    /// A dependency that is down or too slow; the cause goes to the log and never to the caller.
    pub fn unavailable(what: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(Kind::Unavailable, "unavailable", format!("{what} is not available at the moment"));
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
        self.kind
    }

    /// The stable word a client can switch on.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What is for the log and never for the caller.
    pub fn cause(&self) -> Option<&(dyn StdError + 'static)> {
        self.source()
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

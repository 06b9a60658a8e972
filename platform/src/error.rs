//! The closed set of error kinds and the one table that maps them to gRPC and to HTTP.
//!
//! A domain error says once what it is (`Kind`), which rule it broke (`reason`, a stable snake_case word) and what a
//! person should read. On the wire that is a `google.rpc.Status` with `ErrorInfo` and `BadRequest` details; the
//! gateway turns it into problem+json without inventing anything.

use std::{borrow::Cow, collections::HashMap, error::Error as StdError, fmt};

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `google.rpc.ErrorInfo.domain` of every error of this system.
pub const DOMAIN: &str = "capsim";

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

impl Kind {
    /// The gRPC status code of this kind.
    pub fn code(self) -> Code {
        match self {
            Self::InvalidArgument => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::PermissionDenied => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::AlreadyExists => Code::AlreadyExists,
            Self::FailedPrecondition => Code::FailedPrecondition,
            Self::ResourceExhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }
}

/// The HTTP status of a gRPC status code: the only such table in the system.
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
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

/// Where an error leaves a service, and so where its cause is logged, once.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Some(source) = &error.source {
            let cause = Chain(source.as_ref());
            match error.kind {
                Kind::Internal => tracing::error!(%cause, "{error}"),
                _ => tracing::warn!(%cause, "{error}"),
            }
        }
        let mut details = ErrorDetails::new();
        details.set_error_info(error.reason, DOMAIN, HashMap::new());
        for violation in error.violations {
            details.add_bad_request_violation(violation.field, violation.message);
        }
        Status::with_error_details(error.kind.code(), error.message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_http_status_of_the_table() {
        let table = [
            (Code::Ok, 200),
            (Code::InvalidArgument, 400),
            (Code::OutOfRange, 400),
            (Code::Unauthenticated, 401),
            (Code::PermissionDenied, 403),
            (Code::NotFound, 404),
            (Code::AlreadyExists, 409),
            (Code::FailedPrecondition, 409),
            (Code::Aborted, 409),
            (Code::ResourceExhausted, 429),
            (Code::Unimplemented, 501),
            (Code::Unavailable, 503),
            (Code::DeadlineExceeded, 504),
            (Code::Cancelled, 500),
            (Code::Unknown, 500),
            (Code::Internal, 500),
            (Code::DataLoss, 500),
        ];
        for (code, status) in table {
            assert_eq!(http_status(code).as_u16(), status, "{code:?}");
        }
    }

    #[test]
    fn a_status_carries_reason_and_violations() {
        let error = Error::invalid(vec![Violation { field: "name".into(), message: "is required".into() }]);
        let status = Status::from(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.error_info().expect("error info").reason, "validation_failed");
        assert_eq!(details.bad_request().expect("bad request").field_violations[0].field, "name");
    }

    #[test]
    fn a_chain_tells_every_cause() {
        let inner = Error::unavailable("the disk", std::io::Error::other("no space left"));
        let outer = Error::internal(inner);
        assert_eq!(
            Chain(&outer).to_string(),
            "an internal error occurred: the disk is not available at the moment: no space left"
        );
    }

    #[test]
    fn an_internal_cause_does_not_reach_the_caller() {
        let status = Status::from(Error::internal("password=hunter2"));
        assert!(!format!("{status:?}").contains("hunter2"));
    }
}

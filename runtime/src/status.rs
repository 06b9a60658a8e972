//! The one table from error kinds to gRPC and from gRPC to HTTP.
//!
//! On the wire an error is a `google.rpc.Status` with `ErrorInfo` and `BadRequest` details; the gateway turns it into
//! problem+json without inventing anything.

use std::collections::HashMap;

use http::StatusCode;
use kernel::{Error, Kind, error::Chain};
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `google.rpc.ErrorInfo.domain` of every error of this system.
pub const DOMAIN: &str = "capsim";

/// The gRPC status code of a kind of error.
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Internal => Code::Internal,
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

/// The HTTP status of an error with this code.
pub fn status_of(code: &kernel::error::Code) -> StatusCode {
    let own = code.http().and_then(|status| StatusCode::from_u16(status).ok());
    own.unwrap_or_else(|| http_status(self::code(code.kind())))
}

/// What an error is on the wire. Here it leaves a process, and so here its cause is logged, once.
pub fn refuse(error: Error) -> Status {
    if let Some(cause) = error.cause().map(Chain) {
        match error.kind() {
            Kind::Internal => tracing::error!(%cause, "{error}"),
            _ => tracing::warn!(%cause, "{error}"),
        }
    }
    let mut details = ErrorDetails::new();
    details.set_error_info(error.code().as_str(), DOMAIN, HashMap::new());
    for violation in error.violations() {
        details.add_bad_request_violation(&*violation.field, &*violation.message);
    }
    Status::with_error_details(code(error.kind()), error.to_string(), details)
}

/// Carries out one RPC: its answer, or what [`refuse`] makes of its error.
pub async fn answer<T>(work: impl Future<Output = Result<T, Error>>) -> Result<Response<T>, Status> {
    work.await.map(Response::new).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use kernel::Violation;

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
        let status = refuse(error);
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        assert_eq!(details.error_info().expect("error info").reason, "validation_failed");
        assert_eq!(details.bad_request().expect("bad request").field_violations[0].field, "name");
    }

    #[test]
    fn an_internal_cause_does_not_reach_the_caller() {
        let status = refuse(Error::internal("password=hunter2"));
        assert!(!format!("{status:?}").contains("hunter2"));
    }
}

//! Errors as clients see them: RFC 9457 problem+json.
//!
//! A [`Problem`] travels to [`crate::middleware`] in the response's extensions and is written there, in one place,
//! with the request id. What a service refused is translated from its status alone: nothing is invented here.

use std::{borrow::Cow, fmt::Display};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kernel::{error::Code, validate::Violations};
use proto::errors;
use runtime::{
    observe::REQUEST_ID,
    status::{http_status, refuse, status_of},
};
use serde::Serialize;
use tonic::Status;
use tonic_types::StatusExt;
use utoipa::ToSchema;

/// Media type of every error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a client may try again where nothing more is known.
const RETRY_AFTER: u64 = 1;

/// An error on its way to a client.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    /// Seconds.
    retry_after: Option<u64>,
}

/// One field that broke a rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// Name of the field or parameter.
    #[schema(example = "price")]
    field: String,
    /// What would be right.
    #[schema(example = "must have at most 2 decimal places")]
    message: String,
}

/// An error, as in RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: the code says what it is.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The HTTP status in words.
    #[schema(example = "Conflict")]
    title: &'static str,
    #[schema(example = 409)]
    status: u16,
    /// What happened, for a person.
    #[schema(example = "the item is not available")]
    detail: &'a str,
    /// What happened, for a program: a stable snake_case word.
    #[schema(example = "item_not_available")]
    code: &'a str,
    /// The fields at fault, where any are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Id of the request, under which the logs have more.
    #[schema(example = "0f0a1c9e-3a54-4b0e-8a57-6a0f7a6d2f11")]
    request_id: &'a str,
}

impl Problem {
    pub fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::of_service(status_of(code), code.as_str().into(), detail.into())
    }

    /// One whose code may be of a service that is newer than this gateway.
    fn of_service(status: StatusCode, code: Cow<'static, str>, detail: Cow<'static, str>) -> Self {
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
        Self { status, code, detail, errors: Vec::new(), retry_after }
    }

    /// 400 `validation_failed` for one field.
    pub fn invalid(field: impl Into<String>, message: impl Display) -> Self {
        Self::from(errors::VALIDATION_FAILED).with_field(field, message)
    }

    /// 503 `overloaded`: there is more to do than can be done.
    pub fn overloaded() -> Self {
        errors::OVERLOADED.into()
    }

    /// 500 that says nothing; the cause goes to the log.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "internal error");
        errors::INTERNAL.into()
    }

    /// Names a field at fault.
    pub fn with_field(mut self, field: impl Into<String>, message: impl Display) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.to_string() });
        self
    }

    /// Says after how many seconds to try again.
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word a client can switch on.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Writes the body and headers of the answer, which has its request's id.
    pub fn render(self, mut response: Response) -> Response {
        let request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("-");
        let body = ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            errors: &self.errors,
            request_id,
        };
        // Plain strings and numbers always serialise.
        *response.body_mut() = Body::from(serde_json::to_vec(&body).unwrap_or_default());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.remove(header::CONTENT_LENGTH);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, challenge(&self.code));
        }
        response
    }
}

/// `WWW-Authenticate` by RFC 6750, section 3: no error where no token was given.
fn challenge(code: &str) -> HeaderValue {
    HeaderValue::from_static(if code == errors::INVALID_TOKEN.as_str() {
        r#"Bearer realm="capsim", error="invalid_token""#
    } else if code == errors::TOKEN_EXPIRED.as_str() {
        r#"Bearer realm="capsim", error="invalid_token", error_description="the token has expired""#
    } else {
        r#"Bearer realm="capsim""#
    })
}

/// Marks the response; [`crate::middleware::problems`] writes it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a service, or the balancer in its place, refused.
impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let code: Cow<'static, str> = match details.error_info() {
            Some(info) => info.reason.clone().into(),
            None => default_code(status.code()).as_str().into(),
        };
        let own = errors::find(&code).and_then(Code::http).and_then(|own| StatusCode::from_u16(own).ok());
        let http = own.unwrap_or_else(|| http_status(status.code()));
        if http == StatusCode::INTERNAL_SERVER_ERROR {
            // A service has logged its cause; whatever it says of it stays in here.
            return Self::internal(format_args!("{:?}: {}", status.code(), status.message()));
        }
        let mut problem = Self::of_service(http, code, status.message().to_owned().into());
        for violation in details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default() {
            problem = problem.with_field(camel_case(&violation.field), &violation.description);
        }
        problem
    }
}

/// One that has nothing to add to what its code means.
impl From<&'static Code> for Problem {
    fn from(code: &'static Code) -> Self {
        Self::new(code, code.meaning())
    }
}

/// Checks that the gateway makes itself give the same error as those of a service.
impl From<kernel::Error> for Problem {
    fn from(error: kernel::Error) -> Self {
        refuse(error).into()
    }
}

/// For a status that names no reason: one that no code of ours made.
fn default_code(status: tonic::Code) -> &'static Code {
    use tonic::Code::*;

    match status {
        InvalidArgument | OutOfRange => errors::VALIDATION_FAILED,
        Unauthenticated => errors::UNAUTHENTICATED,
        PermissionDenied => errors::PERMISSION_DENIED,
        NotFound => errors::NOT_FOUND,
        AlreadyExists | FailedPrecondition | Aborted => errors::CONFLICT,
        ResourceExhausted => errors::RESOURCE_EXHAUSTED,
        Unimplemented => errors::UNIMPLEMENTED,
        Unavailable => errors::UNAVAILABLE,
        DeadlineExceeded => errors::DEADLINE_EXCEEDED,
        _ => errors::INTERNAL,
    }
}

/// A proto field's name as JSON has it: `item_id` is `itemId`.
fn camel_case(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut upper = false;
    for letter in field.chars() {
        match letter {
            '_' => upper = true,
            _ if upper => {
                name.extend(letter.to_uppercase());
                upper = false;
            }
            _ => name.push(letter),
        }
    }
    name
}

/// What was collected, as a problem.
pub fn check(violations: Violations) -> Result<(), Problem> {
    Ok(violations.into_result()?)
}

#[cfg(test)]
mod tests {
    use kernel::{Error, Violation};

    use super::*;

    #[test]
    fn a_reason_becomes_the_code_and_violations_become_errors() {
        let error = Error::invalid(vec![Violation { field: "item_id".into(), message: "is required".into() }]);
        let problem = Problem::from(refuse(error));
        assert_eq!((problem.status, problem.code()), (StatusCode::BAD_REQUEST, "validation_failed"));
        assert_eq!(problem.errors[0].field, "itemId");
    }

    #[test]
    fn a_reused_idempotency_key_is_422() {
        let status = |code: &'static Code| Problem::from(refuse(Error::from(code))).status;
        assert_eq!(status(errors::IDEMPOTENCY_KEY_REUSED), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(status(errors::OWN_ITEM), StatusCode::CONFLICT);
    }

    #[test]
    fn a_code_that_is_not_known_yet_goes_on_as_it_is() {
        let details = tonic_types::ErrorDetails::with_error_info("brand_new", "capsim", []);
        let problem = Problem::from(Status::with_error_details(tonic::Code::NotFound, "no", details));
        assert_eq!((problem.status, problem.code()), (StatusCode::NOT_FOUND, "brand_new"));
    }

    #[test]
    fn what_a_service_says_of_an_internal_error_stays_inside() {
        for status in [Status::internal("secret"), Status::unknown("secret"), Status::cancelled("secret")] {
            let problem = Problem::from(status);
            assert_eq!((problem.status.as_u16(), problem.code()), (500, "internal"));
            assert!(!problem.detail.contains("secret"));
        }
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        assert_eq!(Problem::from(Status::unavailable("down")).retry_after, Some(RETRY_AFTER));
    }
}

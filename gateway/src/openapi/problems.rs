//! The problems that operations answer with. A handler names those of its own by their codes ([`REFUSALS`]); those of
//! middleware, extractors and balancer are added here, and the catalogue describes them all.

use std::collections::{BTreeMap, BTreeSet};

use kernel::error::Code;
use proto::errors::{self, find};
use runtime::status::status_of;
use serde_json::{Value, json};
use utoipa::openapi::{
    Ref, RefOr, Response,
    content::ContentBuilder,
    example::{Example, ExampleBuilder},
    path::Operation,
    response::ResponseBuilder,
};

use super::refer_to_headers;
use crate::error::PROBLEM_JSON;

/// The extension by which a handler names the codes of its own; it does not reach the description.
const REFUSALS: &str = "x-refusals";

/// Describes all problems of an operation, its handler's own and those of every route of its kind. Returns their codes.
pub(super) fn complete(operation: &mut Operation) -> BTreeSet<&'static str> {
    let mut codes: BTreeSet<_> = common(operation).into_iter().map(Code::as_str).collect();
    let own = serde_json::to_value(operation.extensions.take()).unwrap_or_default();
    codes.extend(
        own[REFUSALS].as_array().into_iter().flatten().filter_map(Value::as_str).filter_map(find).map(Code::as_str),
    );
    let mut by_status = BTreeMap::<u16, Vec<&Code>>::new();
    for code in errors::ALL.iter().filter(|code| codes.contains(code.as_str())) {
        by_status.entry(status_of(code).as_u16()).or_default().push(code);
    }
    for (status, codes) in by_status {
        operation.responses.responses.insert(status.to_string(), response(status, &codes).into());
    }
    codes
}

/// The codes that need no word from a handler: what stands around it can answer with them.
fn common(operation: &Operation) -> Vec<&'static Code> {
    let (has_body, has_input) = (operation.request_body.is_some(), operation.parameters.is_some());
    let secured = operation.security.is_some();
    let is_limited = operation.tags.iter().flatten().all(|tag| tag != "operations");
    let mut codes = Vec::new();
    if has_body {
        codes.extend([errors::MALFORMED_JSON, errors::UNREADABLE_BODY, errors::REQUEST_TIMEOUT]);
        codes.extend([errors::BODY_TOO_LARGE, errors::UNSUPPORTED_MEDIA_TYPE, errors::INVALID_BODY]);
    }
    if has_body || has_input {
        codes.push(errors::VALIDATION_FAILED);
    }
    if secured {
        codes.extend([errors::MISSING_TOKEN, errors::INVALID_TOKEN, errors::TOKEN_EXPIRED]);
    }
    if has_body {
        codes.push(errors::OUTCOME_UNKNOWN);
    }
    let mut parameters = operation.parameters.iter().flatten();
    if parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key")) {
        codes.push(errors::IDEMPOTENCY_KEY_REUSED);
    }
    if is_limited {
        codes.extend([errors::RATE_LIMITED, errors::TOO_MANY_AT_ONCE, errors::AMBIGUOUS_REQUEST]);
        codes.extend([errors::INTERNAL, errors::OVERLOADED]);
    }
    if secured || has_body || has_input {
        codes.extend([errors::UNAVAILABLE, errors::DEADLINE_EXCEEDED]);
    }
    codes
}

fn response(status: u16, codes: &[&Code]) -> Response {
    let description: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
    let examples = codes
        .iter()
        .map(|code| code.as_str())
        .map(|code| (code, RefOr::Ref::<Example>(Ref::new(format!("#/components/examples/{code}")))));
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    let mut response = ResponseBuilder::new()
        .description(description.join("; ").replace('<', "\\<"))
        .content(PROBLEM_JSON, content)
        .build();
    match status {
        401 => refer_to_headers(&mut response, &["WWW-Authenticate"]),
        429 | 503 => refer_to_headers(&mut response, &["Retry-After"]),
        _ => {}
    }
    response
}

/// One of each code that some operation can answer with.
pub(super) fn examples(refused: &BTreeSet<&'static str>) -> impl Iterator<Item = (String, RefOr<Example>)> {
    refused.iter().copied().filter_map(find).map(|code| {
        let example = ExampleBuilder::new().summary(code.as_str()).value(Some(problem(code))).build();
        (code.as_str().to_owned(), RefOr::T(example))
    })
}

fn problem(code: &'static Code) -> Value {
    let status = status_of(code);
    let mut problem = json!({
        "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": code.meaning(),
        "code": code, "requestId": "0f0a1c9e-3a54-4b0e-8a57-6a0f7a6d2f11",
    });
    let errors = if code == errors::VALIDATION_FAILED {
        json!([{"field": "limit", "message": "must be 1 to 100"}])
    } else if code == errors::INVALID_BODY {
        json!([{"field": ".", "message": "must be an object"}])
    } else if code == errors::USERNAME_TAKEN {
        json!([{"field": "username", "message": "is taken"}])
    } else {
        return problem;
    };
    problem["errors"] = errors;
    problem
}

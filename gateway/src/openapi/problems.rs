//! The problems that operations answer with. A handler names those of its own by their codes, in backticks; those of
//! middleware, extractors and balancer are added here, and the table describes them all.

use std::collections::BTreeMap;

use axum::http::StatusCode;
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

/// Every code that a client may meet on a route: its status, and its detail as it may read.
const PROBLEMS: [(u16, &str, &str); 36] = [
    (400, "validation_failed", "one or more fields are not valid"),
    (400, "malformed_json", "the body is no JSON: EOF while parsing an object at line 1 column 1"),
    (400, "unreadable_body", "the body broke off"),
    (400, "ambiguous_request", "there must be at most one Authorization header"),
    (401, "missing_token", "the header Authorization: Bearer <token> is required"),
    (401, "invalid_token", "the token is not valid"),
    (401, "token_expired", "the token has expired, log in again"),
    (401, "invalid_credentials", "the username or the password is wrong"),
    (403, "channel_access_denied", "this channel is not open to you"),
    (403, "pin_denied", "only the creator of a channel may pin posts"),
    (404, "item_not_found", "there is no such item"),
    (404, "channel_not_found", "there is no such channel"),
    (408, "request_timeout", "the request took too long to arrive"),
    (403, "account_deactivated", "this account is deactivated"),
    (403, "not_yours", "this account is not yours"),
    (403, "admins_only", "only admins may do this"),
    (404, "user_not_found", "there is no such user"),
    (409, "username_taken", "the username is taken"),
    (409, "email_taken", "the e-mail address is taken"),
    (409, "last_admin", "the last admin must stay one"),
    (409, "changed_meanwhile", "somebody else changed the account at the same moment, try again"),
    (409, "item_not_available", "the item is not available any more"),
    (409, "own_item", "sellers cannot buy what they sell"),
    (409, "insufficient_funds", "the price is 2.50 EUR, the balance is 1.00 EUR: 1.50 EUR is missing"),
    (413, "body_too_large", "the body must have at most 65536 bytes"),
    (415, "unsupported_media_type", "the Content-Type must be application/json"),
    (422, "invalid_body", "the body has not the right shape"),
    (422, "idempotency_key_reused", "the idempotency key was used for another purchase before"),
    (429, "rate_limited", "too many calls, slow down"),
    (429, "too_many_at_once", "you have 128 calls under way: wait for their answers, and read them"),
    (429, "treasury_exhausted", "the treasury has no USD left to open a wallet with"),
    (500, "internal", "an internal error occurred"),
    (503, "unavailable", "no replica of the service can be reached"),
    (503, "overloaded", "too many requests at once, try again"),
    (503, "outcome_unknown", "the connection broke: whether this took effect is not known, look before you retry"),
    (504, "deadline_exceeded", "the service took too long"),
];

/// The codes that a description names, between backticks.
fn codes_in(description: &str) -> impl Iterator<Item = &str> {
    description.split('`').skip(1).step_by(2)
}

/// Describes all problems of an operation, its handler's own and those of every route of its kind.
pub(super) fn complete(operation: &mut Operation) {
    let mut codes = common(operation);
    for (status, response) in &operation.responses.responses {
        if let RefOr::T(Response { description, content, .. }) = response
            && status.starts_with(['4', '5'])
            && content.is_empty()
        {
            codes.extend(codes_in(description).map(str::to_owned));
        }
    }
    let mut by_status = BTreeMap::<u16, Vec<(&str, &str)>>::new();
    for (status, code, detail) in PROBLEMS {
        if codes.iter().any(|wanted| wanted == code) {
            by_status.entry(status).or_default().push((code, detail));
        }
    }
    for (status, problems) in by_status {
        operation.responses.responses.insert(status.to_string(), response(status, &problems).into());
    }
}

/// The codes that need no word from a handler: what stands around it can answer with them.
fn common(operation: &Operation) -> Vec<String> {
    let (has_body, has_input) = (operation.request_body.is_some(), operation.parameters.is_some());
    let secured = operation.security.is_some();
    let is_limited = operation.tags.iter().flatten().all(|tag| tag != "operations");
    let mut codes = Vec::new();
    if has_body {
        codes.extend(["malformed_json", "unreadable_body", "request_timeout", "body_too_large"]);
        codes.extend(["unsupported_media_type", "invalid_body"]);
    }
    if has_body || has_input {
        codes.push("validation_failed");
    }
    if secured {
        codes.extend(["missing_token", "invalid_token", "token_expired"]);
    }
    if has_body {
        codes.push("outcome_unknown");
    }
    if is_limited {
        codes.extend(["rate_limited", "too_many_at_once", "ambiguous_request", "internal", "overloaded"]);
    }
    if secured || has_body || has_input {
        codes.extend(["unavailable", "deadline_exceeded"]);
    }
    codes.into_iter().map(str::to_owned).collect()
}

fn response(status: u16, problems: &[(&str, &str)]) -> Response {
    let description: Vec<_> = problems.iter().map(|(code, detail)| format!("`{code}`: {detail}")).collect();
    let examples = problems
        .iter()
        .map(|(code, _)| (*code, RefOr::Ref::<Example>(Ref::new(format!("#/components/examples/{code}")))));
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

/// One of each code.
pub(super) fn examples() -> impl Iterator<Item = (String, RefOr<Example>)> {
    PROBLEMS.into_iter().map(|(status, code, detail)| {
        let example = ExampleBuilder::new().summary(code).value(Some(problem(status, code, detail))).build();
        (code.to_owned(), RefOr::T(example))
    })
}

fn problem(status: u16, code: &str, detail: &str) -> Value {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut problem = json!({
        "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code,
        "requestId": "0f0a1c9e-3a54-4b0e-8a57-6a0f7a6d2f11",
    });
    let errors = match code {
        "validation_failed" => json!([{"field": "limit", "message": "must be 1 to 100"}]),
        "invalid_body" => json!([{"field": ".", "message": "must be an object"}]),
        "username_taken" => json!([{"field": "username", "message": "is taken"}]),
        _ => return problem,
    };
    problem["errors"] = errors;
    problem
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_there_once_and_some_operation_has_it() {
        let codes: Vec<_> = PROBLEMS.iter().map(|(_, code, _)| *code).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
        let api = crate::openapi().to_json().expect("json");
        for code in codes {
            assert!(api.contains(&format!("`{code}`")), "{code}");
        }
    }

    /// A code that the table does not know would silently be left out.
    #[test]
    fn handlers_name_codes_of_the_table() {
        let api = serde_json::to_value(crate::routes::description()).expect("json");
        let operations = api["paths"].as_object().expect("paths").values().flat_map(|item| item.as_object());
        for (status, response) in
            operations.flat_map(|o| o.values()).filter_map(|o| o["responses"].as_object()).flatten()
        {
            let text = response["description"].as_str().expect("text");
            if status.starts_with(['4', '5']) && response.get("content").is_none() {
                for code in codes_in(text) {
                    let known = PROBLEMS.iter().any(|(its, name, _)| *name == code && its.to_string() == *status);
                    assert!(known, "{status} {code}");
                }
            }
        }
    }
}

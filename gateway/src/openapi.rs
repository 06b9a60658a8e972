//! The OpenAPI description: what all routes share. What each route says of itself stands with its handler.

use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        OpenApi, RefOr, Required,
        content::ContentBuilder,
        path::Operation,
        response::ResponseBuilder,
        schema::Ref,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{
    error::{FieldError, PROBLEM_JSON, ProblemBody},
    routes,
};

/// The whole description, as served at `/openapi.json`.
pub fn openapi() -> OpenApi {
    complete(routes::description())
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Capitalism Simulation",
        description = "A market economy that one can run, watch, break and measure. Register, log in, press Authorize, and trade.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "auth", description = "Users and tokens"),
        (name = "marketplace", description = "Listings, purchases with exact money, wallets"),
        (name = "discourse", description = "Channels and posts"),
        (name = "operations", description = "How the system is")
    ),
    components(schemas(ProblemBody<'_>, FieldError)),
    modifiers(&Bearer)
)]
struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("The `token` of `POST /auth/login`"))
            .build();
        api.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// What stands in the description before any route.
pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

/// Adds to each operation the problems that the middleware and the common checks can answer with.
pub(crate) fn complete(mut api: OpenApi) -> OpenApi {
    for (path, item) in &mut api.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            for (status, description) in problems(path, operation) {
                let response = ResponseBuilder::new()
                    .description(description)
                    .content(PROBLEM_JSON, ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build())
                    .build();
                operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
            }
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                body.required = Some(Required::True);
            }
        }
    }
    api
}

fn problems(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let (has_body, secured) = (operation.request_body.is_some(), operation.security.is_some());
    let mut problems = Vec::new();
    if !has_body && !secured {
        return problems;
    }
    problems.extend([
        ("400", "`validation_failed`, `malformed_json`: `errors` names the fields"),
        ("429", "`rate_limited`: `Retry-After` says when to come back"),
        ("500", "`internal`: the log has the cause under `requestId`"),
        ("503", "`unavailable`, `overloaded`: `Retry-After` says when to come back"),
    ]);
    if has_body {
        problems.extend([
            ("408", "`request_timeout`: the body came too slowly"),
            ("413", "`body_too_large`: more than 64 KiB"),
            ("415", "`unsupported_media_type`: not application/json"),
            ("422", "`invalid_body`: the wrong shape; `idempotency_key_reused`"),
        ]);
    }
    if secured {
        problems.extend([
            ("401", "`missing_token`, `invalid_token`, `token_expired`"),
            ("504", "`deadline_exceeded`: the service took too long"),
        ]);
    }
    problems.extend(match path {
        "/auth/login" => [("401", "`invalid_credentials`")].as_slice(),
        "/auth/register" => &[("409", "`username_taken`")],
        "/marketplace/item/{id}" => &[("404", "`item_not_found`")],
        "/marketplace/purchase" => {
            &[("404", "`item_not_found`"), ("409", "`item_not_available`, `own_item`, `insufficient_funds`")]
        }
        "/discourse/channel/{id}" => &[("403", "`channel_access_denied`"), ("404", "`channel_not_found`")],
        "/discourse/post" => &[("403", "`channel_access_denied`, `pin_denied`"), ("404", "`channel_not_found`")],
        _ => &[],
    });
    problems
}

//! The OpenAPI description: what all routes share. What each route says of itself stands with its handler.

mod example;
mod problems;

use std::collections::BTreeSet;

use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        Header, HeaderBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::error::{FieldError, ProblemBody};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Capitalism Simulation",
        description = "A market economy that one can run, watch, break and measure. Register, log in, press Authorize, and trade.\n\n\
            Money is exact: amounts are decimal numbers with the places of their currency (USD and EUR 2, GOLD 4, BTC 8). \
            Texts are trimmed, what is empty after that is missing, and none may contain the NUL character or \
            one that changes the direction of text (U+202A to U+202E, U+2066 to U+2069). \
            Calls are limited by what they cost: each counts once, and once more for each 16 KiB of its answer. \
            Unknown fields and parameters are ignored; null is the same as leaving a field out. \
            Errors are problems by RFC 9457 whose `code` is a stable word to switch on.",
        license(name = "MIT", identifier = "MIT")
    ),
    tags(
        (name = "auth", description = "Registration, tokens and the keys that verify them"),
        (name = "users", description = "Accounts and profiles"),
        (name = "marketplace", description = "Listings, purchases with exact money, deposits, wallets"),
        (name = "discourse", description = "Channels and posts"),
        (name = "activity", description = "What happened: of all, of one, live; and what concerns oneself"),
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

/// Adds to each operation what middleware and extractors do for all: problems, headers, conditional reads; and examples.
pub(crate) fn complete(mut api: OpenApi) -> OpenApi {
    let parts = api.components.get_or_insert_default();
    parts.headers.extend(headers());
    example::choose(&mut parts.schemas);
    let schemas = serde_json::to_value(&parts.schemas).unwrap_or_default();
    let mut refused = BTreeSet::new();
    for item in api.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            refused.extend(problems::complete(operation));
            describe_cache(operation);
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                body.required = Some(Required::True);
                example::add(body.content.values_mut(), &schemas);
            }
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    example::add(response.content.values_mut(), &schemas);
                    refer_to_headers(response, &["X-Request-Id"]);
                }
            }
        }
    }
    api.components.get_or_insert_default().examples.extend(problems::examples(&refused));
    api
}

/// The headers that several answers have.
fn headers() -> impl Iterator<Item = (String, RefOr<Header>)> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    [
        (
            "X-Request-Id",
            text(),
            "Id of the request, as in the logs; the one that the request had, if it had a good one",
        ),
        ("ETag", text(), "For `If-None-Match`"),
        ("X-Cache", text().enum_values(Some(["HIT", "MISS", "BYPASS"])), "Whether the answer came from the cache"),
        ("Age", seconds(), "How long ago the answer was made, seconds"),
        ("Retry-After", seconds(), "When to come back, seconds"),
        ("WWW-Authenticate", text(), "What is wrong with the token, by RFC 6750"),
    ]
    .into_iter()
    .map(|(name, schema, description)| {
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
        (name.to_owned(), RefOr::T(header))
    })
}

fn refer_to_headers(response: &mut Response, names: &[&str]) {
    let refer = |name: &&str| (name.to_string(), RefOr::Ref(Ref::new(format!("#/components/headers/{name}"))));
    response.headers.extend(names.iter().map(refer));
}

/// A read that can answer "not modified" goes through the cache.
// These parameters have no examples: Swagger UI would fill them in, and no first try would see the cache.
fn describe_cache(operation: &mut Operation) {
    if !operation.responses.responses.contains_key("304") {
        return;
    }
    let parameter = |name: &str, description: &str| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
        let schema = ObjectBuilder::new().schema_type(Type::String);
        parameter.description(Some(description)).schema(Some(schema)).build()
    };
    operation.parameters.get_or_insert_default().extend([
        RefOr::T(parameter("If-None-Match", "`ETag` of an answer that is known: 304 if it is still so")),
        RefOr::T(parameter("Cache-Control", "`no-cache` for an answer that is not from the cache")),
    ]);
    for status in ["200", "304"] {
        if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
            refer_to_headers(response, &["ETag", "X-Cache", "Age"]);
        }
    }
}

//! `/auth/…` and the public keys.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use kernel::validate::Violations;
use proto::{accounts as rpc, errors};
use runtime::identity::Jwks;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    call::{Call, OpenCall},
    error::{Problem, check},
    extract::JsonBody,
    rate_limit::ClientAddress,
    routes::{State, users::User},
};

/// Who wants an account.
// It has no `Debug`: passwords are not for logs.
#[derive(Deserialize, ToSchema)]
pub(super) struct Registration {
    /// 3 to 64 of `A-Z a-z 0-9 _ . -`, unique without regard to case.
    #[schema(required = true, value_type = String, min_length = 3, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$", example = "ada")]
    username: Option<String>,
    /// 6 to 128 characters.
    #[schema(required = true, value_type = String, min_length = 6, max_length = 128, format = Password, example = "correct horse")]
    password: Option<String>,
    /// Unique without regard to case; shown to nobody else.
    #[schema(max_length = 254, example = "ada@example.org")]
    email: Option<String>,
}

/// A name or an e-mail address, and a password.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// In any case. This or `email` is required.
    #[schema(min_length = 3, max_length = 64, example = "ada")]
    username: Option<String>,
    email: Option<String>,
    #[schema(required = true, value_type = String, max_length = 128, format = Password, example = "correct horse")]
    password: Option<String>,
}

/// The password that is, and the one to be.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewPassword {
    #[schema(required = true, value_type = String, min_length = 1, format = Password, example = "correct horse")]
    old: Option<String>,
    /// 6 to 128 characters.
    #[schema(required = true, value_type = String, min_length = 6, max_length = 128, format = Password, example = "battery staple")]
    new: Option<String>,
}

/// Register a user
///
/// From one address so many are registered a minute (`AUTH_RATE_LIMIT`), together with the logins that fail there.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = Registration,
    responses((status = CREATED, description = "The user", body = User)),
    extensions(("x-refusals" = json!([errors::USERNAME_TAKEN, errors::EMAIL_TAKEN])))
)]
pub(super) async fn register(
    app: State,
    from: ClientAddress,
    call: OpenCall,
    JsonBody(registration): JsonBody<Registration>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let Registration { username, password, email } = registration;
    let request = call.request(rpc::RegisterRequest {
        username: username.unwrap_or_default(),
        password: password.unwrap_or_default(),
        email: email.unwrap_or_default(),
    });
    let mut client = app.accounts();
    let attempt = async { Ok(client.register(request).await?.into_inner()) };
    let registered = app.guesses.register(from, attempt).await?;
    Ok((StatusCode::CREATED, Json(registered.user.try_into()?)))
}

/// A token, in the names of OAuth 2 (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// For `Authorization: Bearer <token>`.
    #[schema(example = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl")]
    token: String,
    /// The same.
    #[schema(example = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl")]
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 86400)]
    expires_in: u64,
    user_id: Uuid,
    #[schema(example = "ada")]
    username: String,
}

/// Log in
///
/// Only failures are limited: ten for one name from everywhere together, then one a minute; and so many a minute from one
/// address (`AUTH_RATE_LIMIT`). Where a name has logged in before, it has ten of its own there.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses(
        (status = OK, description = "A token", body = Token)
    ),
    extensions(("x-refusals" = json!([errors::INVALID_CREDENTIALS, errors::ACCOUNT_DEACTIVATED])))
)]
pub(super) async fn login(
    app: State,
    from: ClientAddress,
    call: OpenCall,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let Credentials { username, email, password } = credentials;
    let login = username.or(email).unwrap_or_default();
    let password = password.unwrap_or_default();
    let mut violations = Violations::default();
    for (field, text) in [("username", &login), ("password", &password)] {
        if text.is_empty() {
            violations.add(field, "is required");
        }
    }
    check(violations)?;
    let mut client = app.accounts();
    let request = call.repeatable(rpc::VerifyPasswordRequest { login: login.clone(), password });
    let attempt = async { app.auth.issue(client.verify_password(request).await?.into_inner()) };
    let session = app.guesses.login(&login, from, attempt).await?;
    let token = Token {
        access_token: session.token.clone(),
        token: session.token,
        token_type: "Bearer",
        expires_in: session.expires_in,
        user_id: session.id,
        username: session.username,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(token)).into_response())
}

/// Log out
///
/// Ends the token of this call: within a second it is refused everywhere.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", security(("bearer" = [])),
    responses((status = NO_CONTENT, description = "The token has ended"))
)]
pub(super) async fn logout(app: State, call: Call) -> Result<StatusCode, Problem> {
    // Ending what has ended changes nothing.
    let ended = app.accounts().end_token(call.repeatable(rpc::EndTokenRequest {})).await;
    ended?;
    app.auth.forget(&call.claims);
    Ok(StatusCode::NO_CONTENT)
}

/// Change the password
///
/// Ends all tokens of the account, this one too: within a second they are refused everywhere. A wrong `old` counts as a
/// failed login.
#[utoipa::path(
    put, path = "/auth/password", tag = "auth", request_body = NewPassword, security(("bearer" = [])),
    responses((status = NO_CONTENT, description = "The password is another one")),
    extensions(("x-refusals" = json!([errors::INVALID_CREDENTIALS])))
)]
pub(super) async fn change_password(
    app: State,
    from: ClientAddress,
    call: Call,
    JsonBody(password): JsonBody<NewPassword>,
) -> Result<StatusCode, Problem> {
    let NewPassword { old, new } = password;
    let message = rpc::ChangePasswordRequest { old: old.unwrap_or_default(), new: new.unwrap_or_default() };
    let mut client = app.accounts();
    let attempt = async { Ok(client.change_password(call.request(message)).await?) };
    app.guesses.login(&call.claims.username, from, attempt).await?;
    app.auth.forget_all(&call.claims);
    Ok(StatusCode::NO_CONTENT)
}

/// Is this token good?
///
/// For nginx' `auth_request` and Traefik's `forwardAuth`: 200 with the caller in headers, or 401.
#[utoipa::path(
    get, path = "/auth/validate", tag = "auth", security(("bearer" = [])),
    responses((status = OK, description = "The token is good", headers(
        ("X-User-ID" = String, description = "UUID of the user"),
        ("X-User-Name" = String, description = "Username"),
        ("X-User-Roles" = String, description = "Roles, comma-separated")
    )))
)]
pub(super) async fn validate(call: Call) -> Result<HeaderMap, Problem> {
    let id = call.claims.sub.to_string();
    let mut headers = HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
    for (name, value) in
        [("x-user-id", &id), ("x-user-name", &call.claims.username), ("x-user-roles", &call.claims.roles.join(","))]
    {
        headers.insert(name, HeaderValue::try_from(value).map_err(Problem::internal)?);
    }
    Ok(headers)
}

/// A public key (RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Key {
    #[schema(example = "OKP")]
    kty: String,
    #[schema(example = "Ed25519")]
    crv: String,
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    x: String,
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
    #[schema(example = "EdDSA")]
    alg: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    usage: String,
}

/// The keys that tokens are verified with (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

impl From<&Jwks> for KeySet {
    fn from(set: &Jwks) -> Self {
        let key = |key: &runtime::identity::Jwk| {
            let runtime::identity::Jwk { kty, crv, x, kid, alg, usage } = key.clone();
            Key { kty, crv, x, kid, alg, usage }
        };
        Self { keys: set.keys.iter().map(key).collect() }
    }
}

/// The keys that tokens are verified with
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = OK, description = "A JSON Web Key Set", body = KeySet))
)]
pub(super) async fn jwks(app: State) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(KeySet::from(app.auth.keys().jwks())))
}

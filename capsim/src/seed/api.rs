//! The gateway as seeding calls it: found first, and waited for where it asks for that.

use std::time::Duration;

use anyhow::{Context, bail};
use client::{
    Client, Error, Method, StatusCode,
    body::{Credentials, Token},
};
use proto::errors;
use serde_json::Value;
use tokio::time::sleep;

/// Of all seeded people. They own nothing but play money.
pub(super) const PASSWORD: &str = "correct horse";
/// How often a call is repeated that met a rate limit or a busy gateway.
const ATTEMPTS: u32 = 20;
/// What does not answer within this time never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who is logged in.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) client: Client,
}

/// The gateway at this URL; an error says what is there instead.
pub(super) async fn find(gateway: &str) -> anyhow::Result<Client> {
    let client = Client::new(gateway, PATIENCE)?;
    let gateway = client.gateway();
    let answer = client.request(Method::GET, "/").send().await.map_err(|error| {
        let sentence = match &error {
            error if error.is_builder() => format!("{gateway} must be a URL such as http://127.0.0.1:8000"),
            error if error.is_connect() => format!("nothing listens at {gateway}: is the system running?"),
            error if error.is_timeout() => format!("no answer from {gateway}"),
            _ => format!("what listens at {gateway} does not speak HTTP"),
        };
        anyhow::Error::new(error).context(sentence)
    })?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let index: Value = serde_json::from_str(&body).unwrap_or_default();
    if index["name"] != "capsim gateway" {
        let begins: String = body.lines().next().unwrap_or_default().chars().take(80).collect();
        bail!("{gateway} is no gateway of capsim: it answers {status}, {begins:?}");
    }
    Ok(client)
}

/// Whoever is called so, registered if need be.
pub(super) async fn log_in(client: &Client, username: &str) -> anyhow::Result<Person> {
    let credentials = Credentials::new(username, PASSWORD);
    match patiently(async || client.register(&credentials).await).await {
        Ok(_) => {}
        Err(error) if error.is(errors::USERNAME_TAKEN) => {}
        Err(error) => return Err(error).context("POST /auth/register"),
    }
    match patiently(async || client.login(&credentials).await).await {
        Ok(Token { token, user_id, .. }) => Ok(Person { id: user_id.to_string(), client: client.with_token(token) }),
        Err(error) if error.is(errors::INVALID_CREDENTIALS) => {
            bail!("{username} exists with another password: seed a fresh system")
        }
        Err(error) => Err(error).context("POST /auth/login"),
    }
}

/// Calls; waits and calls again where the gateway asks for it.
pub(super) async fn patiently<T>(call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..ATTEMPTS {
        match call().await {
            Err(Error::Problem(problem)) if problem.status == StatusCode::TOO_MANY_REQUESTS => {
                sleep(Duration::from_secs(problem.retry_after.unwrap_or(1))).await;
            }
            outcome => return outcome,
        }
    }
    call().await
}

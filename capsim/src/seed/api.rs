//! The calls that seeding makes.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::text;

/// Of all seeded people. They own nothing but play money.
pub(super) const PASSWORD: &str = "correct horse";
/// How often a call is repeated that met a rate limit or a busy gateway.
const ATTEMPTS: u32 = 20;
/// What does not answer within this time never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody who is logged in.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) token: String,
}

/// The public API of a gateway.
pub(super) struct Api {
    http: reqwest::Client,
    gateway: String,
}

impl Api {
    /// The one at this URL; an error says what is there instead.
    pub(super) async fn find(gateway: &str) -> anyhow::Result<Self> {
        let gateway = gateway.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let answer = http.get(format!("{gateway}/")).send().await.map_err(|error| {
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
        Ok(Self { http, gateway })
    }

    pub(super) async fn log_in(&self, username: &str) -> anyhow::Result<Person> {
        let credentials = json!({"username": username, "password": PASSWORD});
        let (status, answer) = self.call(Method::POST, "/auth/register", None, Some(&credentials), None).await?;
        if status != StatusCode::CREATED && text(&answer, "code") != "username_taken" {
            bail!("POST /auth/register: {status} {answer}");
        }
        let (status, answer) = self.call(Method::POST, "/auth/login", None, Some(&credentials), None).await?;
        match status {
            StatusCode::OK => Ok(Person { id: text(&answer, "user_id"), token: text(&answer, "token") }),
            StatusCode::UNAUTHORIZED => bail!("{username} exists with another password: seed a fresh system"),
            _ => bail!("POST /auth/login: {status} {answer}"),
        }
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.call(Method::GET, path, Some(token), None, None).await?;
        anyhow::ensure!(status.is_success(), "GET {path}: {status} {answer}");
        Ok(answer)
    }

    pub(super) async fn post(&self, token: &str, path: &str, body: &Value, key: Option<&str>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(Method::POST, path, Some(token), Some(body), key).await?;
        anyhow::ensure!(status.is_success(), "POST {path} of {body}: {status} {answer}");
        Ok(answer)
    }

    /// Status and JSON of the answer; waits and tries again where the gateway asks for it.
    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        for _ in 0..ATTEMPTS {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.gateway));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            if let Some(key) = idempotency_key {
                request = request.header("idempotency-key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.with_context(|| format!("no gateway at {}", self.gateway))?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok((answer.status(), answer.json().await?));
            }
            let wait = answer.headers().get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(wait.unwrap_or(1))).await;
        }
        bail!("{method} {path}: refused {ATTEMPTS} times by the rate limit")
    }
}

//! What stands in for Redis where it is not built in: none is ever connected.

use std::{convert::Infallible, fmt::Display, sync::Arc, time::Duration};

use kernel::{NotBuiltIn, Secret};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::cache::Cache;

/// (That there is none is for this file to know: all others are written as if there were one.)
#[derive(Clone)]
pub(crate) struct Redis(Infallible);

pub(crate) struct RedisError;

impl Redis {
    pub(crate) fn connect(_: &Secret, _: &str, _: &TaskTracker, _: &CancellationToken) -> Result<Self, NotBuiltIn> {
        Err(NotBuiltIn { variable: "REDIS_URL", what: "Redis" })
    }

    pub(crate) fn cache(&self, _: Duration, _: &TaskTracker, _: &CancellationToken) -> Arc<dyn Cache> {
        match self.0 {}
    }

    pub(crate) async fn eval<T>(
        &self,
        _: Duration,
        _: &'static str,
        _: String,
        _: Vec<String>,
    ) -> Result<T, RedisError> {
        match self.0 {}
    }

    pub(crate) async fn exists(&self, _: Duration, _: String) -> Result<bool, RedisError> {
        match self.0 {}
    }

    pub(crate) async fn remember(&self, _: Duration, _: String, _: Duration) -> Result<(), RedisError> {
        match self.0 {}
    }

    pub(crate) async fn put(&self, _: Duration, _: String, _: String, _: Duration) -> Result<(), RedisError> {
        match self.0 {}
    }

    pub(crate) async fn take(&self, _: Duration, _: String) -> Result<Option<String>, RedisError> {
        match self.0 {}
    }

    pub(crate) fn key(&self, _: impl Display) -> String {
        match self.0 {}
    }

    pub(crate) fn is_up(&self) -> bool {
        match self.0 {}
    }
}

//! Users in Redis: `user:{name in lower case}` has the user as JSON. They are kept as well as Redis keeps them:
//! give it an append-only file.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc, serde::ts_microseconds};
use fred::{interfaces::KeysInterface, types::SetOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{User, Users, UsersError};
use crate::redis::{Redis, RedisError};

/// A command at most. Longer than for the cache: there is no doing without.
const PATIENCE: Duration = Duration::from_millis(250);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    id: Uuid,
    username: String,
    password_hash: String,
    /// Microseconds since the Unix epoch.
    #[serde(with = "ts_microseconds")]
    created_at: DateTime<Utc>,
}

/// Users in Redis.
pub(crate) struct RedisUsers(Redis);

impl RedisUsers {
    pub(crate) fn new(redis: Redis) -> Self {
        Self(redis)
    }

    fn key(&self, username: &str) -> String {
        self.0.key(format_args!("user:{}", username.to_ascii_lowercase()))
    }
}

#[async_trait]
impl Users for RedisUsers {
    async fn create(&self, user: &User) -> Result<(), UsersError> {
        let User { id, username, password_hash, created_at } = user.clone();
        let key = self.key(&username);
        let record = serde_json::to_string(&Record { id, username, password_hash, created_at })
            .map_err(|error| UsersError::Internal(error.into()))?;
        let set = self
            .0
            .call(PATIENCE, async |redis| {
                redis.set::<Option<String>, _, _>(key, record, None, Some(SetOptions::NX), false).await
            })
            .await;
        match set {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(UsersError::UsernameTaken),
            Err(RedisError::Down) => Err(UsersError::Unavailable(RedisError::Down.into())),
            Err(error) => Err(UsersError::OutcomeUnknown(error.into())),
        }
    }

    async fn find(&self, username: &str) -> Result<Option<User>, UsersError> {
        let key = self.key(username);
        let found = self.0.call(PATIENCE, async |redis| redis.get::<Option<String>, _>(key).await).await;
        let found = found.map_err(|error| UsersError::Unavailable(error.into()))?;
        let record = found.map(|text| serde_json::from_str(&text)).transpose();
        Ok(record
            .map_err(|error| UsersError::Internal(error.into()))?
            .map(|Record { id, username, password_hash, created_at }| User { id, username, password_hash, created_at }))
    }

    fn backend(&self) -> &'static str {
        "redis"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        auth::users::contract::{self, Fresh},
        redis::testing::Scratch,
    };

    async fn fresh() -> Fresh {
        let scratch = Scratch::new();
        Fresh { users: Arc::new(RedisUsers::new(scratch.connect().await)), _keep: Box::new(scratch) }
    }

    contract::users_contract!(fresh);
}

//! Users in the embedded database.

use async_trait::async_trait;
use chrono::DateTime;
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::PoolState;
use storage::{
    DataDir,
    sqlite::{self, Sqlite},
};
use uuid::Uuid;

use super::{User, Users, UsersError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

diesel::table! {
    users (id) {
        id -> Text,
        username -> Text,
        username_key -> Text,
        password_hash -> Text,
        created_at -> BigInt,
    }
}

/// Users in `gateway.db`.
#[derive(Clone)]
pub(crate) struct EmbeddedUsers(Sqlite);

impl EmbeddedUsers {
    /// Opens or creates `gateway.db` in `data_dir`.
    pub(crate) fn open(data_dir: &DataDir) -> anyhow::Result<Self> {
        Ok(Self(Sqlite::open(data_dir, "gateway.db", MIGRATIONS)?))
    }

    /// The connections to the database.
    pub(crate) fn pool(&self) -> PoolState {
        self.0.pool()
    }
}

#[async_trait]
impl Users for EmbeddedUsers {
    async fn create(&self, user: &User) -> Result<(), UsersError> {
        let user = user.clone();
        self.0
            .write(move |connection| {
                diesel::insert_into(users::table)
                    .values((
                        users::id.eq(user.id.to_string()),
                        users::username_key.eq(user.username.to_ascii_lowercase()),
                        users::username.eq(user.username),
                        users::password_hash.eq(user.password_hash),
                        users::created_at.eq(user.created_at.timestamp_micros()),
                    ))
                    .execute(connection)
                    .map_err(|error| match error {
                        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => UsersError::UsernameTaken,
                        error => error.into(),
                    })?;
                Ok(())
            })
            .await
    }

    async fn find(&self, username: &str) -> Result<Option<User>, UsersError> {
        let key = username.to_ascii_lowercase();
        self.0
            .read(move |connection| {
                let row: Option<(String, String, String, i64)> = users::table
                    .filter(users::username_key.eq(key))
                    .select((users::id, users::username, users::password_hash, users::created_at))
                    .first(connection)
                    .optional()?;
                row.map(|(id, username, password_hash, created_at)| {
                    let id = Uuid::try_parse(&id).map_err(|error| UsersError::Internal(error.into()))?;
                    let created_at = DateTime::from_timestamp_micros(created_at)
                        .ok_or_else(|| UsersError::Internal("created_at is out of range".into()))?;
                    Ok(User { id, username, password_hash, created_at })
                })
                .transpose()
            })
            .await
    }

    fn backend(&self) -> &'static str {
        "embedded"
    }
}

impl From<sqlite::Error> for UsersError {
    fn from(error: sqlite::Error) -> Self {
        if error.is_unavailable() { Self::Unavailable(error.into()) } else { Self::Internal(error.into()) }
    }
}

impl From<DieselError> for UsersError {
    fn from(error: DieselError) -> Self {
        sqlite::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::users::contract::{self, Fresh};

    async fn fresh() -> Fresh {
        let directory = tempfile::tempdir().expect("directory");
        let users = EmbeddedUsers::open(&DataDir::open(directory.path(), false).expect("ours")).expect("opens");
        Fresh { users: Arc::new(users), _keep: Box::new(directory) }
    }

    contract::users_contract!(fresh);
}

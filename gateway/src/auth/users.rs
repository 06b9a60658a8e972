//! Where users are kept. `contract` is the test suite that every store passes.

#[cfg(test)]
mod contract;
pub(crate) mod embedded;
pub(crate) mod redis;

use async_trait::async_trait;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::error::Problem;

/// A registered user. It has no `Debug`: the hash is nobody's business.
#[derive(Clone)]
pub struct User {
    pub id: Uuid,
    /// As it was registered.
    pub username: String,
    /// PHC string.
    pub password_hash: String,
    pub created_at: DateTime<Utc>,
}

/// Why a user could not be created or found.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    #[error("the username is taken")]
    UsernameTaken,
    #[error("the user store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The user may have been created.
    #[error("the user store did not say whether the user was created")]
    OutcomeUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the user store failed")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<UsersError> for Problem {
    fn from(error: UsersError) -> Self {
        match error {
            UsersError::UsernameTaken => Self::new(StatusCode::CONFLICT, "username_taken", "the username is taken")
                .with_field("username", "is taken"),
            UsersError::Unavailable(cause) => kernel::Error::unavailable("the user store", cause).into(),
            UsersError::OutcomeUnknown(cause) => {
                tracing::error!(%cause, "the user store may have created a user");
                let detail = "the user store broke off: whether you are registered is not known, try to log in";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "outcome_unknown", detail)
            }
            UsersError::Internal(cause) => kernel::Error::internal(cause).into(),
        }
    }
}

/// A store of users, unique by name without regard to (ASCII) case.
#[async_trait]
pub trait Users: Send + Sync + 'static {
    /// Keeps a new user, durably; [`UsersError::UsernameTaken`] where the name is taken, decided atomically.
    async fn create(&self, user: &User) -> Result<(), UsersError>;

    /// The user of this name, in any case.
    async fn find(&self, username: &str) -> Result<Option<User>, UsersError>;

    /// Where it is kept, for `/status`.
    fn backend(&self) -> &'static str;
}

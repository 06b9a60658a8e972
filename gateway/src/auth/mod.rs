//! Users, passwords and tokens.

pub(crate) mod guesses;
pub mod password;
pub mod token;
pub mod users;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kernel::{Caller, time, validate::Violations};
use uuid::Uuid;

use self::{
    password::Passwords,
    token::{Tokens, Unauthorized},
    users::{User, Users, UsersError},
};
use crate::error::{Problem, check};

/// Characters of a username.
const USERNAME: std::ops::RangeInclusive<usize> = 3..=64;
/// Characters of a password. Four bytes each at most, so its bytes are bounded too.
const PASSWORD: std::ops::RangeInclusive<usize> = 6..=128;

/// Registers users and logs them in.
pub struct Auth {
    users: Arc<dyn Users>,
    passwords: Passwords,
    tokens: Tokens,
}

/// A user as others may see it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub id: Uuid,
    pub username: String,
    pub created_at: DateTime<Utc>,
}

/// A fresh login.
#[derive(Debug)]
pub struct Session {
    pub token: String,
    /// Seconds.
    pub expires_in: u64,
    pub id: Uuid,
    pub username: String,
}

impl Auth {
    pub fn new(users: Arc<dyn Users>, passwords: Passwords, tokens: Tokens) -> Self {
        Self { users, passwords, tokens }
    }

    /// Where users are kept, for `/status`.
    pub fn backend(&self) -> &'static str {
        self.users.backend()
    }

    /// Who the bearer of `token` is.
    pub fn verify(&self, token: &str) -> Result<Caller, Unauthorized> {
        self.tokens.verify(token)
    }

    /// Creates a user; of two racing registrations of one name exactly one wins, the other gets `username_taken`.
    pub async fn register(&self, username: &str, password: &str) -> Result<Profile, Problem> {
        let mut violations = Violations::default();
        check_username(username, &mut violations);
        check_password(password, &mut violations);
        check(violations)?;
        // Saves the costly hash where the name is taken; the store decides the race.
        if self.users.find(username).await?.is_some() {
            return Err(UsersError::UsernameTaken.into());
        }
        let user = User {
            id: Uuid::new_v4(),
            username: username.to_owned(),
            password_hash: self.passwords.hash(password).await?,
            created_at: time::now(),
        };
        self.users.create(&user).await?;
        Ok(Profile { id: user.id, username: user.username, created_at: user.created_at })
    }

    /// A token for who knows the password; `invalid_credentials` else, after the same work for an unknown user.
    pub async fn login(&self, username: &str, password: &str) -> Result<Session, Problem> {
        let mut violations = Violations::default();
        for (field, text) in [("username", username), ("password", password)] {
            if text.is_empty() {
                violations.add(field, "is required");
            }
        }
        check(violations)?;
        let user = self.users.find(username).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        match user {
            Some(User { id, username, .. }) if right => {
                let (token, expires_in) = self.tokens.issue(id, &username)?;
                Ok(Session { token, expires_in, id, username })
            }
            _ => Err(Problem::unauthorized("invalid_credentials", "the username or the password is wrong")),
        }
    }
}

fn check_username(username: &str, violations: &mut Violations) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if username.is_empty() {
        violations.add("username", "is required");
    } else if !USERNAME.contains(&username.chars().count()) || !username.chars().all(allowed) {
        violations.add("username", "must have 3 to 64 of the characters A-Z a-z 0-9 _ . -");
    }
}

fn check_password(password: &str, violations: &mut Violations) {
    if password.is_empty() {
        violations.add("password", "is required");
    } else if !PASSWORD.contains(&password.chars().count()) {
        violations.add("password", "must have 6 to 128 characters");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(check: fn(&str, &mut Violations), text: &str) -> bool {
        let mut violations = Violations::default();
        check(text, &mut violations);
        violations.into_result().is_ok()
    }

    #[test]
    fn usernames_hold_to_their_alphabet_and_length() {
        for good in ["abc", "A.b-c_9", &"x".repeat(64)] {
            assert!(accepts(check_username, good), "{good}");
        }
        for bad in ["", "ab", &"x".repeat(65), "a b", "ädä", "a/b", "abc\n", " abc", "a\0b"] {
            assert!(!accepts(check_username, bad), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        for good in ["123456", "ääääää", &"🦀".repeat(128), "      "] {
            assert!(accepts(check_password, good), "{good}");
        }
        for bad in ["", "12345", "äääää", &"x".repeat(129)] {
            assert!(!accepts(check_password, bad), "{bad:?}");
        }
    }
}

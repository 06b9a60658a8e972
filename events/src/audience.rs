//! Who may see an event.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// Who may see an event. As text: `all`, `users:` and their ids with commas between them, `channel:42`, `system`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    All,
    /// These users, at most 100.
    Users(Vec<Uuid>),
    /// Who may read the channel when it is shown.
    Channel(i64),
    /// Read models: nobody is shown it.
    System,
}

/// The kind of an audience, whoever is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Users,
    Channel,
    System,
}

impl Audience {
    /// Users that an event can be for one by one.
    pub const MOST_USERS: usize = 100;

    /// For one user.
    pub fn user(id: Uuid) -> Self {
        Self::Users(vec![id])
    }

    pub fn scope(&self) -> Scope {
        match self {
            Self::All => Scope::All,
            Self::Users(_) => Scope::Users,
            Self::Channel(_) => Scope::Channel,
            Self::System => Scope::System,
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Users(users) => {
                f.write_str("users:")?;
                users.iter().enumerate().try_for_each(|(at, user)| {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{user}")
                })
            }
            Self::Channel(id) => write!(f, "channel:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// The text is no audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audience must be `all`, `system`, `channel:` and a number, or `users:` and at most 100 UUIDs")]
pub struct NoAudience;

impl FromStr for Audience {
    type Err = NoAudience;

    fn from_str(text: &str) -> Result<Self, NoAudience> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            None if text == "system" => Ok(Self::System),
            Some(("channel", id)) => id.parse().map(Self::Channel).map_err(|_| NoAudience),
            Some(("users", "")) => Ok(Self::Users(Vec::new())),
            Some(("users", ids)) => {
                let users = ids.split(',').take(Self::MOST_USERS + 1).map(str::parse).collect::<Result<Vec<_>, _>>();
                users.ok().filter(|users| users.len() <= Self::MOST_USERS).map(Self::Users).ok_or(NoAudience)
            }
            _ => Err(NoAudience),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_read_back() {
        let (ada, bob) = (Uuid::now_v7(), Uuid::now_v7());
        for audience in [
            Audience::All,
            Audience::System,
            Audience::Channel(42),
            Audience::user(ada),
            Audience::Users(vec![ada, bob]),
            Audience::Users(Vec::new()),
            Audience::Users(vec![ada; Audience::MOST_USERS]),
        ] {
            assert_eq!(audience.to_string().parse(), Ok(audience));
        }
    }

    #[test]
    fn anything_else_is_none() {
        let many = Audience::Users(vec![Uuid::now_v7(); Audience::MOST_USERS + 1]).to_string();
        for text in ["", "ALL", "some", "channel:", "channel:x", "users:1", "users", "system:", &many] {
            assert_eq!(text.parse::<Audience>(), Err(NoAudience), "{text}");
        }
    }
}

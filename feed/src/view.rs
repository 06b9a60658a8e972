//! What a view is made of, and how far it has come.

use std::fmt;

use chrono::{DateTime, Utc};
use events::follow::Sequences;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How far a set of views has come: kept with them, and written in one act with each change of them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Of the numbers in it; nil where there are no views yet.
    pub epoch: Uuid,
    /// Events that were applied.
    pub position: u64,
    /// Of the newest entry for all; 0 where there is none.
    pub number: u64,
    /// The last event of each source that was applied.
    pub sequences: Sequences,
    /// When the last one was published: whoever goes on does so from there.
    pub published_at: Option<DateTime<Utc>>,
}

impl Head {
    /// Of views that nothing was applied to.
    pub fn new(epoch: Uuid) -> Self {
        Self { epoch, position: 0, number: 0, sequences: Sequences::from_first(), published_at: None }
    }
}

/// A list of entries, newest first, of which the oldest go.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum List {
    /// What is for all.
    All,
    /// Of that what is of a type.
    Kind(String),
    /// Whose activity it is.
    User(Uuid),
    /// Of what they are notified.
    Notices(Uuid),
}

impl List {
    /// Entries for all: in each of these lists, and how far back who watches may begin.
    pub const PUBLIC: u64 = 1000;
    const USER: u64 = 100;
    const NOTICES: u64 = 200;

    /// What the names of lists begin with that have entries for all.
    pub const OF_ALL: &str = "all";

    /// The most entries in it.
    pub fn most(&self) -> u64 {
        match self {
            Self::All | Self::Kind(_) => Self::PUBLIC,
            Self::User(_) => Self::USER,
            Self::Notices(_) => Self::NOTICES,
        }
    }
}

/// Its name in stores.
impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(Self::OF_ALL),
            Self::Kind(kind) => write!(f, "{}:{kind}", Self::OF_ALL),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Notices(user) => write!(f, "notices:{user}"),
        }
    }
}

/// Events are counted in slots of so many seconds, of which there are so many: a slot is used again once it is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale {
    pub width: i64,
    pub slots: i64,
}

impl Scale {
    pub const MINUTE: Self = Self { width: 1, slots: 60 };
    pub const HOUR: Self = Self { width: 60, slots: 60 };
    pub const DAY: Self = Self { width: 600, slots: 144 };
    pub const ALL: [Self; 3] = [Self::MINUTE, Self::HOUR, Self::DAY];

    /// When the slot begins that a moment is in, seconds since the epoch.
    pub fn start(self, at: DateTime<Utc>) -> i64 {
        at.timestamp().div_euclid(self.width) * self.width
    }

    /// Which slot it is that begins then.
    pub fn slot(self, start: i64) -> i64 {
        start.div_euclid(self.width).rem_euclid(self.slots)
    }

    /// Slots that begin after this count at a moment.
    pub fn since(self, at: DateTime<Utc>) -> i64 {
        self.start(at) - self.width * self.slots
    }
}

/// For how long a user counts as active.
pub const ACTIVE: chrono::Duration = chrono::Duration::hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_when_it_does_not_count_any_more() {
        let at = |seconds| DateTime::from_timestamp(seconds, 999_999_999).expect("in range");
        for scale in Scale::ALL {
            let window = scale.width * scale.slots;
            let start = scale.start(at(1_700_000_000));
            assert!((0..scale.width).all(|second| scale.start(at(start + second)) == start), "{scale:?}");
            assert_eq!(scale.slot(start), scale.slot(start + window));
            assert_ne!(scale.slot(start), scale.slot(start + window - scale.width));
            assert!(
                start > scale.since(at(start + window - 1)) && start <= scale.since(at(start + window)),
                "{scale:?}"
            );
        }
    }
}

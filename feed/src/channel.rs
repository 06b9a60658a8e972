//! What the views know of channels: who may read them.

use std::collections::HashMap;

use events::Audience;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entry::Entry;

/// A channel, as far as its events have told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// Who opened it; `None` where that was not told.
    pub owner: Option<Uuid>,
    pub state: State,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All may read it.
    Open,
    /// Its owner and its members may.
    Closed,
    /// It was deleted.
    Gone,
}

/// A channel, as one user stands to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub channel: Channel,
    pub is_member: bool,
}

impl Access {
    fn may_read(self, viewer: Option<Uuid>) -> bool {
        match self.channel.state {
            State::Open => true,
            State::Closed => self.is_member || (viewer.is_some() && viewer == self.channel.owner),
            State::Gone => false,
        }
    }
}

/// Whether `viewer` may see an entry now, whoever it was for when it happened. `accesses` has the channels that are known.
pub fn may_see(entry: &Entry, viewer: Option<Uuid>, accesses: &HashMap<i64, Access>) -> bool {
    match entry.channel.and_then(|id| accesses.get(&id)) {
        Some(access) => access.may_read(viewer),
        None => match &entry.audience {
            Audience::All => true,
            Audience::Users(users) => viewer.is_some_and(|viewer| users.contains(&viewer)),
            // Who may read a channel that nothing was told of is not known.
            Audience::Channel(_) | Audience::System => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use proto::events::{MoneyDeposited, PostCreated};

    use super::*;

    fn post(audience: Audience) -> Entry {
        let event = events::Event::new(1, 1, audience, None, &PostCreated::default()).expect("allowed");
        Entry::new(&event, Some(1), None)
    }

    #[test]
    fn a_channel_is_read_as_it_is_now() {
        let (ada, bob, eve) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let sees = |state, is_member, viewer, audience| {
            let access = Access { channel: Channel { owner: Some(ada), state }, is_member };
            may_see(&post(audience), viewer, &HashMap::from([(1, access)]))
        };
        for audience in [Audience::All, Audience::Channel(1)] {
            for viewer in [None, Some(eve), Some(ada)] {
                assert!(sees(State::Open, false, viewer, audience.clone()));
                assert!(!sees(State::Gone, true, viewer, audience.clone()));
            }
            assert!(sees(State::Closed, false, Some(ada), audience.clone()), "its owner");
            assert!(sees(State::Closed, true, Some(bob), audience.clone()), "a member");
            for other in [None, Some(eve)] {
                assert!(!sees(State::Closed, false, other, audience.clone()), "{other:?}");
            }
        }
    }

    #[test]
    fn without_a_channel_the_audience_counts() {
        let (ada, eve) = (Uuid::from_u128(1), Uuid::from_u128(3));
        let none = HashMap::new();
        let event = events::Event::new(ada, 1, Audience::user(ada), None, &MoneyDeposited::default()).expect("allowed");
        let mine = Entry::new(&event, None, None);
        assert!(may_see(&mine, Some(ada), &none));
        assert!(!may_see(&mine, Some(eve), &none) && !may_see(&mine, None, &none));
        assert!(may_see(&post(Audience::All), None, &none), "older than all that was told of its channel");
        assert!(!may_see(&post(Audience::Channel(1)), Some(ada), &none));
    }
}

//! What is told of accounts. Addresses, phones and passwords never are.

use events::{
    Audience, Event,
    event::{self, Invalid},
};
use proto::events::{UserCreated, UserUpdated};
use storage::outbox::Message;

use crate::account::Account;

/// That an account was opened: to all.
pub(crate) fn created(account: &Account, traceparent: Option<String>) -> Result<Message, Invalid> {
    let data = UserCreated { user_id: account.id.to_string(), username: account.username.clone() };
    Event::new(account.id, account.version.unsigned_abs(), Audience::All, traceparent, &data)?.into_message()
}

/// That `before` is `after` now: to all where that shows to all, else to its owner.
pub(crate) fn updated(before: &Account, after: &Account, traceparent: Option<String>) -> Result<Message, Invalid> {
    let (old, new) = (&before.profile, &after.profile);
    let shown = [
        ("firstName", old.first_name != new.first_name),
        ("lastName", old.last_name != new.last_name),
        ("bio", old.bio != new.bio),
    ];
    let own = [("isActive", before.is_active != after.is_active), ("roles", before.roles != after.roles)];
    let names = |fields: &[(&str, bool)]| -> Vec<_> {
        fields.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| (*name).to_owned()).collect()
    };
    let (audience, changed) = match names(&shown) {
        nothing if nothing.is_empty() => (Audience::user(after.id), names(&own)),
        changed => (Audience::All, changed),
    };
    let data = UserUpdated {
        user_id: after.id.to_string(),
        username: after.username.clone(),
        first_name: new.first_name.clone(),
        last_name: new.last_name.clone(),
        excerpt: event::excerpt(&new.bio),
        is_active: after.is_active,
        changed,
    };
    Event::new(after.id, after.version.unsigned_abs(), audience, traceparent, &data)?.into_message()
}

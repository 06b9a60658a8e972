//! What becomes of a channel: it is changed, or deleted with all that is in it.

use events::event::{self, Invalid};
use kernel::{Caller, Error, validate::Violations};
use proto::events::{ChannelDeleted, ChannelUpdated};
use runtime::{context::Context, trace};
use storage::outbox::Message;
use tracing::Instrument;

use super::{Channel, ChannelType, NewChannel};
use crate::{
    act::{Act, Versions},
    store::Store,
};

/// What is to be another. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    pub description: Option<String>,
    pub kind: Option<ChannelType>,
    pub zone: Option<String>,
}

impl Change {
    /// Trims and checks the texts as [`NewChannel::new`] does.
    pub fn new(
        name: Option<&str>,
        description: Option<&str>,
        kind: Option<ChannelType>,
        zone: Option<&str>,
        violations: &mut Violations,
    ) -> Self {
        let mut text = |field, text: Option<&str>, length| text.map(|text| violations.text(field, text, length));
        Self {
            name: text("name", name, NewChannel::NAME),
            description: text("description", description, NewChannel::DESCRIPTION),
            kind,
            zone: text("zone", zone, NewChannel::ZONE),
        }
    }
}

impl Channel {
    /// What it is after a change, and what is told of it; `None` where that is what it was.
    pub fn changed(&self, change: Change, act: &Act) -> Result<Option<(Self, Message)>, Invalid> {
        let Change { name, description, kind, zone } = change;
        let mut new = self.clone().raised();
        new.name = name.unwrap_or(new.name);
        new.description = description.unwrap_or(new.description);
        new.kind = kind.unwrap_or(new.kind);
        new.zone = zone.unwrap_or(new.zone);
        // A post may have come with a later time from another replica.
        new.updated_at = new.updated_at.max(act.at);
        let changed: Vec<_> = [
            ("name", new.name != self.name),
            ("description", new.description != self.description),
            ("type", new.kind != self.kind),
            ("zone", new.zone != self.zone),
        ]
        .into_iter()
        .filter(|(_, is_changed)| *is_changed)
        .map(|(field, _)| field.to_owned())
        .collect();
        if changed.is_empty() {
            return Ok(None);
        }
        let updated = ChannelUpdated {
            channel_id: new.id,
            name: new.name.clone(),
            excerpt: event::excerpt(&new.description),
            r#type: new.kind.as_str().to_owned(),
            zone: new.zone.clone(),
            updated_by: act.by.to_string(),
            changed,
        };
        let message = new.told(new.version, act, &updated)?;
        Ok(Some((new, message)))
    }

    /// What is told of its end, which is that of all its posts too.
    pub fn deleted(&self, act: &Act) -> Result<Message, Invalid> {
        let deleted = ChannelDeleted { channel_id: self.id, name: self.name.clone(), deleted_by: act.by.to_string() };
        self.told(self.version + 1, act, &deleted)
    }
}

/// Changes a channel of the caller's; every [`super::access::ChannelError`].
pub async fn update(
    store: &dyn Store,
    context: &Context<Caller>,
    (id, versions, change): (i64, Versions, Change),
) -> Result<Channel, Error> {
    Ok(store
        .update_channel(Act::new(context, None), id, versions, change)
        .instrument(trace::store(store.backend(), "channels.update"))
        .await??)
}

/// Deletes a channel of the caller's; every [`super::access::ChannelError`].
pub async fn delete(
    store: &dyn Store,
    context: &Context<Caller>,
    (id, versions): (i64, Versions),
) -> Result<(), Error> {
    Ok(store
        .delete_channel(Act::new(context, None), id, versions)
        .instrument(trace::store(store.backend(), "channels.delete"))
        .await??)
}

#[cfg(test)]
mod tests {
    use kernel::time;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_stays_the_same_is_no_change() {
        let act = Act { by: Uuid::from_u128(1), at: time::now(), claim: None, traceparent: None };
        let (name, description, zone) = ("agora".to_owned(), String::new(), String::new());
        let new = NewChannel { name, description, kind: ChannelType::Public, zone };
        let (channel, _) = new.opened(7, &act).expect("an event");
        let change = Change { name: Some("agora".to_owned()), ..Change::default() };
        assert!(channel.changed(change, &act).expect("an event").is_none());
        let change = Change { zone: Some("north".to_owned()), kind: Some(ChannelType::Private), ..Change::default() };
        let (changed, message) = channel.changed(change, &act).expect("an event").expect("a change");
        assert_eq!((changed.version, message.version, changed.zone.as_str()), (2, 2, "north"));
        assert!(message.body.contains(r#""changed":["type","zone"]"#), "{}", message.body);
        assert!(message.body.contains(r#""audience":"channel:7""#), "it is private now: {}", message.body);
    }
}

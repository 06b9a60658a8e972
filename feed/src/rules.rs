//! What each event means to the views. It knows no store.

use events::{Event, Kind};
use proto::events as message;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// What an event means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// What it is about: with that thing it goes from the views. As text without spaces: `post/7`.
    pub(crate) thing: String,
    /// The channel that it is said in, or that it is about.
    pub(crate) channel: Option<i64>,
    /// Whose activity it is: who did it, and with whose things it was done.
    pub(crate) people: Vec<Uuid>,
    pub(crate) concerns: Option<Concerned>,
    pub(crate) scrubs: Option<Scrub>,
    pub(crate) turns: Option<Turn>,
}

/// Who is notified of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concerned {
    User(Uuid),
    /// Who opened its channel, unless they did it themselves.
    Owner,
}

/// What goes from all views with it, before it is shown itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scrub {
    /// All that is about the same thing.
    Thing,
    /// All that was said in its channel, or about it.
    Channel,
}

/// What it makes of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Opened { by: Option<Uuid>, is_public: bool },
    Changed { is_public: bool },
    Deleted,
    Joined(Uuid),
    Left(Uuid),
}

impl Meaning {
    fn of(thing: &str, id: &str, people: &[&str]) -> Self {
        // What separates things in stores is in no id.
        let id: String = id.chars().filter(|letter| !letter.is_whitespace()).collect();
        let mut people: Vec<_> = people.iter().filter_map(|id| user(id)).collect();
        people.dedup();
        Self { thing: format!("{thing}/{id}"), people, ..Self::default() }
    }

    fn channel(id: i64, by: &str, turn: Turn) -> Self {
        Self { channel: Some(id), turns: Some(turn), ..Self::of("channel", &id.to_string(), &[by]) }
    }

    fn post(id: i64, channel: i64, by: &str) -> Self {
        Self { channel: Some(channel), ..Self::of("post", &id.to_string(), &[by]) }
    }

    fn concerning(self, id: &str) -> Self {
        Self { concerns: user(id).map(Concerned::User), ..self }
    }

    fn scrubbing(self, scrub: Scrub) -> Self {
        Self { scrubs: Some(scrub), ..self }
    }
}

fn user(id: &str) -> Option<Uuid> {
    Uuid::try_parse(id).ok()
}

/// Discourse's word for a channel that not all may read.
fn is_public(word: &str) -> bool {
    word != "private"
}

fn read<D: DeserializeOwned>(event: &Event) -> Result<D, serde_json::Error> {
    serde_json::from_str(event.data.get())
}

/// What an event means; `None` where it is for read models of others, or of a type that only a later version knows.
pub(crate) fn meaning(event: &Event) -> Result<Option<Meaning>, serde_json::Error> {
    let Some(kind) = event.known() else { return Ok(None) };
    Ok(Some(match kind {
        Kind::UserCreated => {
            let it: message::UserCreated = read(event)?;
            Meaning::of("user", &it.user_id, &[&it.user_id])
        }
        Kind::UserUpdated => {
            let it: message::UserUpdated = read(event)?;
            Meaning::of("user", &it.user_id, &[&it.user_id])
        }
        Kind::ItemListed => {
            let it: message::ItemListed = read(event)?;
            Meaning::of("item", &it.item_id, &[&it.seller_id])
        }
        Kind::ItemUpdated => {
            let it: message::ItemUpdated = read(event)?;
            Meaning::of("item", &it.item_id, &[&it.seller_id])
        }
        Kind::ItemWithdrawn => {
            let it: message::ItemWithdrawn = read(event)?;
            Meaning::of("item", &it.item_id, &[&it.seller_id]).scrubbing(Scrub::Thing)
        }
        Kind::ItemSold => {
            let it: message::ItemSold = read(event)?;
            // It stays true when the item is withdrawn by a later owner.
            Meaning::of("sale", &it.transaction_id, &[&it.buyer_id, &it.seller_id]).concerning(&it.seller_id)
        }
        Kind::ItemResold => {
            let it: message::ItemResold = read(event)?;
            Meaning::of("item", &it.item_id, &[&it.seller_id])
        }
        Kind::MoneyDeposited => {
            let it: message::MoneyDeposited = read(event)?;
            Meaning::of("deposit", &it.act_id, &[&it.user_id])
        }
        Kind::ProductCreated | Kind::ProductUpdated | Kind::StockChanged | Kind::StockLow | Kind::StockOut => {
            Meaning::of("product", &event.subject, &[])
        }
        Kind::ProductDeleted => Meaning::of("product", &event.subject, &[]).scrubbing(Scrub::Thing),
        Kind::OrderUpdated => {
            let it: message::OrderUpdated = read(event)?;
            Meaning::of("order", &it.order_id, &[&it.user_id]).concerning(&it.user_id)
        }
        Kind::OrderCancelled => {
            let it: message::OrderCancelled = read(event)?;
            Meaning::of("order", &it.order_id, &[&it.user_id]).concerning(&it.user_id)
        }
        Kind::ChannelCreated => {
            let it: message::ChannelCreated = read(event)?;
            let turn = Turn::Opened { by: user(&it.created_by), is_public: is_public(&it.r#type) };
            Meaning::channel(it.channel_id, &it.created_by, turn)
        }
        Kind::ChannelUpdated => {
            let it: message::ChannelUpdated = read(event)?;
            Meaning::channel(it.channel_id, &it.updated_by, Turn::Changed { is_public: is_public(&it.r#type) })
        }
        Kind::ChannelDeleted => {
            let it: message::ChannelDeleted = read(event)?;
            Meaning::channel(it.channel_id, &it.deleted_by, Turn::Deleted).scrubbing(Scrub::Channel)
        }
        Kind::MemberAdded => {
            let it: message::MemberAdded = read(event)?;
            let Some(member) = user(&it.user_id) else { return Ok(None) };
            Meaning::channel(it.channel_id, &it.user_id, Turn::Joined(member))
        }
        Kind::MemberRemoved => {
            let it: message::MemberRemoved = read(event)?;
            let Some(member) = user(&it.user_id) else { return Ok(None) };
            Meaning::channel(it.channel_id, &it.user_id, Turn::Left(member))
        }
        Kind::PostCreated => {
            let it: message::PostCreated = read(event)?;
            let concerns = Some(Concerned::Owner);
            Meaning { concerns, ..Meaning::post(it.post_id, it.channel_id, &it.author_id) }
        }
        Kind::PostUpdated => {
            let it: message::PostUpdated = read(event)?;
            Meaning::post(it.post_id, it.channel_id, &it.author_id)
        }
        Kind::PostDeleted => {
            let it: message::PostDeleted = read(event)?;
            Meaning::post(it.post_id, it.channel_id, &it.deleted_by).scrubbing(Scrub::Thing)
        }
        Kind::MoneyMoved
        | Kind::OrderCreated
        | Kind::OrderChangeRequested
        | Kind::OrderCancelRequested
        | Kind::OrderShipped
        | Kind::OrderSettled
        | Kind::OrderRefused
        | Kind::OrderChanged
        | Kind::OrderChangeRefused
        | Kind::OrderRefunded => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use events::{Audience, Data};

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    fn told<D: Data>(audience: Audience, data: &D) -> Meaning {
        let event = Event::new("7", 1, audience, None, data).expect("allowed");
        meaning(&event).expect("data").expect("means something")
    }

    #[test]
    fn what_is_between_services_means_nothing_here_and_all_else_does() {
        let mut event = Event::new("7", 1, Audience::All, None, &message::UserCreated::default()).expect("for all");
        for kind in Kind::ALL {
            event.kind = kind.name().to_owned();
            let is_shown = kind.scopes() != [events::audience::Scope::System];
            let needs_a_member = matches!(kind, Kind::MemberAdded | Kind::MemberRemoved);
            let meaning = meaning(&event).expect("all is optional");
            assert_eq!(meaning.is_some(), is_shown && !needs_a_member, "{kind}");
        }
        event.kind = "user.cloned".to_owned();
        assert_eq!(meaning(&event).expect("of a later version"), None);
    }

    #[test]
    fn a_sale_is_both_peoples_and_the_sellers_to_know() {
        let (seller_id, buyer_id) = (ADA.to_string(), BOB.to_string());
        let sold = message::ItemSold { transaction_id: "t1".to_owned(), seller_id, buyer_id, ..Default::default() };
        let sold = told(Audience::All, &sold);
        assert_eq!(
            (sold.thing.as_str(), sold.people, sold.concerns),
            ("sale/t1", vec![BOB, ADA], Some(Concerned::User(ADA)))
        );
        assert_eq!(sold.scrubs, None);
    }

    #[test]
    fn deletions_scrub_what_they_delete() {
        let posted =
            message::PostCreated { post_id: 7, channel_id: 3, author_id: ADA.to_string(), ..Default::default() };
        let posted = told(Audience::All, &posted);
        let deleted =
            message::PostDeleted { post_id: 7, channel_id: 3, deleted_by: BOB.to_string(), ..Default::default() };
        let deleted = told(Audience::All, &deleted);
        assert_eq!((posted.thing, posted.scrubs, posted.concerns), ("post/7".to_owned(), None, Some(Concerned::Owner)));
        assert_eq!(
            (deleted.thing, deleted.scrubs, deleted.people),
            ("post/7".to_owned(), Some(Scrub::Thing), vec![BOB])
        );
        let closed = message::ChannelDeleted { channel_id: 3, ..Default::default() };
        let closed = told(Audience::All, &closed);
        assert_eq!((closed.channel, closed.scrubs, closed.turns), (Some(3), Some(Scrub::Channel), Some(Turn::Deleted)));
    }

    #[test]
    fn what_an_event_says_of_a_channel_is_read_from_its_words() {
        let opened = |r#type: &str| {
            let created_by = ADA.to_string();
            let event =
                message::ChannelCreated { channel_id: 3, r#type: r#type.to_owned(), created_by, ..Default::default() };
            told(Audience::Channel(3), &event).turns
        };
        for (word, is_public) in [("public", true), ("sovereign", true), ("private", false)] {
            assert_eq!(opened(word), Some(Turn::Opened { by: Some(ADA), is_public }), "{word}");
        }
    }
}

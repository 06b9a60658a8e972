//! What a batch of events changes in the views. It knows no store: a store gives what there is, and does what comes of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use events::{Audience, Entry as Logged, follow::Step};
use kernel::error::Chain;
use uuid::Uuid;

use crate::{
    channel::{Channel, State},
    entry::Entry,
    rules::{Concerned, Meaning, Scrub, Turn, meaning},
    view::{Head, List, Scale},
};

/// Events in the order of the log, and what each means.
#[derive(Debug)]
pub struct Batch(Vec<(Logged, Option<Meaning>)>);

impl Batch {
    /// An event whose data cannot be read is applied too: as one that changes nothing.
    pub fn new(entries: Vec<Logged>) -> Self {
        let known = |entry: Logged| {
            let meaning = meaning(&entry.event).inspect_err(|error| {
                tracing::error!(event = %entry.event.id, cause = %Chain(error), "an event cannot be read: it is not shown");
            });
            let meaning = meaning.ok().flatten();
            (entry, meaning)
        };
        Self(entries.into_iter().map(known).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The channels that have to be known to apply it.
    pub(crate) fn channels(&self) -> Vec<i64> {
        let mut ids: Vec<_> = self.0.iter().filter_map(|(_, meaning)| meaning.as_ref()?.channel).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// What it changes in views that are at `head`, and know of `channels`.
    pub(crate) fn plan(&self, head: Head, channels: HashMap<i64, Channel>) -> Plan {
        let mut plan = Plan { head, ..Plan::default_of(channels) };
        for (entry, meaning) in &self.0 {
            plan.apply(entry, meaning.as_ref());
        }
        plan
    }
}

/// One row of a list.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) thing: String,
    pub(crate) channel: Option<i64>,
    /// An [`Entry`].
    pub(crate) json: String,
}

/// One step of a plan. A list gives what is put into it the number after the one it gave last, and lets go what is older by
/// [`List::most`].
#[derive(Debug)]
pub(crate) enum Change {
    Put(List, Arc<Row>),
    /// All about a thing goes.
    Scrub(String),
    /// All of a channel goes.
    ScrubChannel(i64),
    /// All of a channel goes from what is for all.
    Hide(i64),
    Join(i64, Uuid),
    Leave(i64, Uuid),
}

/// What is to be done in one act.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How far the views have come with it.
    pub(crate) head: Head,
    /// Events that were new.
    pub(crate) applied: usize,
    /// In this order.
    pub(crate) changes: Vec<Change>,
    /// As they are now, where they changed.
    pub(crate) channels: BTreeMap<i64, Channel>,
    /// More events for all, by type.
    pub(crate) totals: BTreeMap<String, u64>,
    /// The same by the beginnings of slots.
    pub(crate) rates: BTreeMap<(Scale, i64), u64>,
    /// When users did something last.
    pub(crate) active: BTreeMap<Uuid, DateTime<Utc>>,
    known: HashMap<i64, Channel>,
}

impl Plan {
    fn default_of(known: HashMap<i64, Channel>) -> Self {
        Self {
            head: Head::new(Uuid::nil()),
            applied: 0,
            changes: Vec::new(),
            channels: BTreeMap::new(),
            totals: BTreeMap::new(),
            rates: BTreeMap::new(),
            active: BTreeMap::new(),
            known,
        }
    }

    fn apply(&mut self, entry: &Logged, meaning: Option<&Meaning>) {
        let event = &entry.event;
        // The log has none without.
        let Some(sequence) = event.sequence else { return };
        // Who reads the log has told of a gap.
        if self.head.sequences.take(&event.source, sequence) == Step::Known {
            return;
        }
        self.applied += 1;
        self.head.position += 1;
        self.head.published_at = self.head.published_at.max(Some(entry.published_at));
        let Some(meaning) = meaning else { return };
        self.scrub(meaning);
        if let (Some(id), Some(turn)) = (meaning.channel, meaning.turns) {
            self.turn(id, turn);
        }
        self.show(entry, meaning);
    }

    fn scrub(&mut self, meaning: &Meaning) {
        match (&meaning.scrubs, meaning.channel) {
            (Some(Scrub::Thing), _) => self.changes.push(Change::Scrub(meaning.thing.clone())),
            (Some(Scrub::Channel), Some(id)) => self.changes.push(Change::ScrubChannel(id)),
            _ => {}
        }
    }

    fn turn(&mut self, id: i64, turn: Turn) {
        let before = self.known.get(&id).copied();
        let owner = before.and_then(|channel| channel.owner);
        let state = |is_public| if is_public { State::Open } else { State::Closed };
        let now = match turn {
            Turn::Joined(user) => return self.changes.push(Change::Join(id, user)),
            Turn::Left(user) => return self.changes.push(Change::Leave(id, user)),
            Turn::Opened { by, is_public } => Channel { owner: by, state: state(is_public) },
            Turn::Changed { is_public } => Channel { owner, state: state(is_public) },
            Turn::Deleted => Channel { owner, state: State::Gone },
        };
        if now.state == State::Closed && before.is_none_or(|before| before.state == State::Open) {
            self.changes.push(Change::Hide(id));
        }
        self.known.insert(id, now);
        self.channels.insert(id, now);
    }

    fn show(&mut self, Logged { event, .. }: &Logged, meaning: &Meaning) {
        // What is told of a channel that is gone, that it is gone, is not in it.
        let channel = meaning.channel.filter(|_| meaning.turns != Some(Turn::Deleted));
        let state = channel.and_then(|id| self.known.get(&id)).map(|channel| channel.state);
        let is_lost = match event.audience {
            Audience::System => true,
            // Nobody may read it any more.
            Audience::Channel(_) => channel.is_none(),
            _ => false,
        };
        if is_lost || state == Some(State::Gone) {
            return;
        }
        // It may be that the channel was closed since.
        let is_public = event.audience == Audience::All && state != Some(State::Closed);
        let number = is_public.then_some(self.head.number + 1);
        let entry = Entry::new(event, channel, number);
        let Ok(json) = serde_json::to_string(&entry) else { return };
        let row = Arc::new(Row { thing: meaning.thing.clone(), channel, json });
        if is_public {
            self.head.number += 1;
            self.put(List::All, &row);
            self.put(List::Kind(event.kind.clone()), &row);
            self.count(&entry, meaning);
        }
        for user in &meaning.people {
            self.put(List::User(*user), &row);
        }
        if let Some(user) = self.concerned(&entry, meaning) {
            self.put(List::Notices(user), &row);
        }
    }

    fn put(&mut self, list: List, row: &Arc<Row>) {
        self.changes.push(Change::Put(list, Arc::clone(row)));
    }

    fn count(&mut self, entry: &Entry, meaning: &Meaning) {
        *self.totals.entry(entry.kind.clone()).or_default() += 1;
        for scale in Scale::ALL {
            *self.rates.entry((scale, scale.start(entry.time))).or_default() += 1;
        }
        for user in &meaning.people {
            let last = self.active.entry(*user).or_insert(entry.time);
            *last = entry.time.max(*last);
        }
    }

    fn concerned(&self, entry: &Entry, meaning: &Meaning) -> Option<Uuid> {
        let user = match meaning.concerns? {
            Concerned::User(user) => user,
            Concerned::Owner => {
                let owner = self.known.get(&entry.channel?)?.owner?;
                return Some(owner).filter(|owner| !meaning.people.contains(owner));
            }
        };
        match &entry.audience {
            Audience::Users(users) => users.contains(&user).then_some(user),
            _ => Some(user),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::{Data, Event, Position};
    use kernel::time;
    use proto::events::{ChannelCreated, ChannelDeleted, ChannelUpdated, OrderUpdated, PostCreated};

    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const BOB: Uuid = Uuid::from_u128(2);

    fn logged<D: Data>(sequence: u64, audience: Audience, data: &D) -> Logged {
        let event = Event::new("7", sequence, audience, None, data).expect("allowed").stamped(sequence);
        Logged { position: Position(sequence), published_at: time::now(), event }
    }

    fn opened(r#type: &str) -> ChannelCreated {
        ChannelCreated { channel_id: 3, created_by: ADA.to_string(), r#type: r#type.to_owned(), ..Default::default() }
    }

    fn post(author: Uuid) -> PostCreated {
        PostCreated { post_id: 7, channel_id: 3, author_id: author.to_string(), ..Default::default() }
    }

    fn plan(entries: Vec<Logged>) -> Plan {
        Batch::new(entries).plan(Head::new(Uuid::nil()), HashMap::new())
    }

    fn lists(plan: &Plan) -> Vec<String> {
        let list = |change: &Change| match change {
            Change::Put(list, _) => list.to_string(),
            other => format!("{other:?}"),
        };
        plan.changes.iter().map(list).collect()
    }

    #[test]
    fn what_was_applied_is_not_applied_again() {
        let first = logged(1, Audience::All, &opened("public"));
        let second = logged(2, Audience::All, &post(BOB));
        let plan = plan(vec![first.clone(), second.clone(), first, second]);
        assert_eq!((plan.applied, plan.head.position, plan.head.number), (2, 2, 2));
        assert_eq!(plan.totals.values().sum::<u64>(), 2);
    }

    #[test]
    fn a_post_is_its_authors_activity_and_news_for_the_channels_owner() {
        let plan_of =
            |author| plan(vec![logged(1, Audience::All, &opened("public")), logged(2, Audience::All, &post(author))]);
        let public = ["all".to_owned(), "all:post.created".to_owned()];
        let (bob, ada, news) = (format!("user:{BOB}"), format!("user:{ADA}"), format!("notices:{ADA}"));
        assert_eq!(lists(&plan_of(BOB))[3..], [&public[..], &[bob, news]].concat());
        assert_eq!(lists(&plan_of(ADA))[3..], [&public[..], &[ada]].concat(), "not of one's own");
    }

    #[test]
    fn what_is_not_for_all_is_in_no_list_for_all() {
        let closed = plan(vec![
            logged(1, Audience::Channel(3), &opened("private")),
            logged(2, Audience::Channel(3), &post(BOB)),
        ]);
        assert!(lists(&closed).iter().all(|list| !list.starts_with(List::OF_ALL)), "{:?}", lists(&closed));
        assert_eq!((closed.head.position, closed.head.number, closed.totals.len()), (2, 0, 0));
        let order = OrderUpdated { order_id: "o".to_owned(), user_id: ADA.to_string(), ..Default::default() };
        let mine = plan(vec![logged(1, Audience::user(ADA), &order)]);
        assert_eq!(lists(&mine), [format!("user:{ADA}"), format!("notices:{ADA}")]);
        let wrong = plan(vec![logged(1, Audience::user(BOB), &order)]);
        assert_eq!(lists(&wrong), [format!("user:{ADA}")], "it is not shown to who is not meant");
    }

    #[test]
    fn a_channel_that_closes_takes_what_is_for_all_with_it_and_late_posts_are_not_shown() {
        let closes = ChannelUpdated { channel_id: 3, r#type: "private".to_owned(), ..Default::default() };
        let plan = plan(vec![
            logged(1, Audience::All, &opened("public")),
            logged(2, Audience::Channel(3), &closes),
            logged(3, Audience::All, &post(BOB)),
        ]);
        assert_eq!(plan.channels[&3], Channel { owner: Some(ADA), state: State::Closed });
        let after = lists(&plan)[3..].to_vec();
        assert_eq!(after[0], "Hide(3)");
        assert!(after.iter().all(|list| !list.starts_with(List::OF_ALL)), "{after:?}");
    }

    #[test]
    fn nothing_is_said_in_a_channel_that_is_gone() {
        let deleted = ChannelDeleted { channel_id: 3, deleted_by: ADA.to_string(), ..Default::default() };
        let plan = plan(vec![
            logged(1, Audience::All, &opened("public")),
            logged(2, Audience::All, &deleted),
            logged(3, Audience::All, &post(BOB)),
        ]);
        let expected = ["ScrubChannel(3)", "all", "all:channel.deleted", &format!("user:{ADA}")];
        assert_eq!(lists(&plan)[3..], expected);
        assert_eq!(plan.head.number, 2);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing_and_is_applied() {
        let mut broken = logged(1, Audience::All, &post(BOB));
        broken.event.data = serde_json::value::to_raw_value(&[1]).expect("JSON");
        let plan = plan(vec![broken, logged(2, Audience::All, &post(BOB))]);
        assert_eq!((plan.applied, plan.head.position, plan.head.number), (2, 2, 1));
    }
}

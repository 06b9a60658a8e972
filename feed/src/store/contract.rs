//! What every store must do, as one test suite: `store_contract!` makes a test of each case on fresh stores.

pub(super) mod lists;
pub(super) mod rebuilds;
pub(super) mod turns;

use std::{any::Any, sync::Arc, time::Duration};

use events::{Audience, Data, Entry as Logged, Event, Position};
use kernel::{Page, time};
use proto::events as message;
use storage::lease::{TASKS, Token};
use uuid::Uuid;

use super::{ListPage, Store, Target};
use crate::{plan::Batch, view::List};

/// An empty store as two processes see it, and what must outlive it.
pub(super) struct Fresh {
    pub(super) store: Arc<dyn Store>,
    pub(super) other: Arc<dyn Store>,
    pub(super) _keep: Box<dyn Any + Send>,
}

macro_rules! store_contract {
    ($fresh:path) => {
        $crate::store::contract::store_contract! { @cases $fresh, lists: [
            an_empty_store_has_empty_lists,
            what_happened_is_listed_newest_first_by_pages_and_types,
            lists_let_go_of_the_oldest,
            what_is_deleted_goes_from_all_lists,
            a_channel_that_closes_is_not_for_all_any_more,
            members_come_and_go,
            notifications_are_read_up_to_one,
            what_happens_is_counted,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, turns: [
            an_event_is_applied_once,
            of_two_who_apply_the_same_at_once_one_does,
            who_was_frozen_past_the_lease_applies_nothing,
            what_is_given_up_is_free_at_once,
            a_source_that_left_some_out_is_followed,
            how_much_is_applied_is_known_to_all,
            views_that_are_there_are_begun_with_as_they_are,
            what_is_not_there_is_not_applied_to,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, rebuilds: [
            views_made_anew_equal_those_that_followed,
            views_made_anew_take_their_place_when_they_are_as_far,
            other_numbers_are_of_another_epoch,
            who_begins_again_begins_with_nothing,
            what_is_left_of_former_views_is_swept,
        ] }
    };
    (@cases $fresh:path, $module:ident: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fresh = $fresh().await;
            $crate::store::contract::$module::$case(&fresh).await;
        }
    )*};
}

pub(super) use store_contract;

const ADA: Uuid = Uuid::from_u128(0xada);
const BOB: Uuid = Uuid::from_u128(0xb0b);
const EVE: Uuid = Uuid::from_u128(0xe7e);

/// So long that it does not end in a test, however slow the machine.
const LONG: Duration = Duration::from_secs(600);

/// The lease; there are views then.
async fn holder(store: &dyn Store) -> Token {
    let token = store.leases().acquire(TASKS, "test", LONG).await.expect("answers").expect("is free");
    store.begin(token).await.expect("begins");
    token
}

/// What one source tells, in its order.
#[derive(Default)]
struct Teller(u64);

impl Teller {
    fn tells<D: Data>(&mut self, subject: impl ToString, audience: Audience, data: &D) -> Logged {
        self.0 += 1;
        let event = Event::new(subject, 1, audience, None, data).expect("allowed").stamped(self.0);
        Logged { position: Position(self.0), published_at: time::now(), event }
    }

    fn opens(&mut self, channel: i64, owner: Uuid, kind: &str) -> Logged {
        let audience = if kind == "private" { Audience::Channel(channel) } else { Audience::All };
        let (r#type, created_by) = (kind.to_owned(), owner.to_string());
        let data = message::ChannelCreated { channel_id: channel, r#type, created_by, ..Default::default() };
        self.tells(channel, audience, &data)
    }

    fn turns(&mut self, channel: i64, kind: &str) -> Logged {
        let audience = if kind == "private" { Audience::Channel(channel) } else { Audience::All };
        let data = message::ChannelUpdated { channel_id: channel, r#type: kind.to_owned(), ..Default::default() };
        self.tells(channel, audience, &data)
    }

    fn closes(&mut self, channel: i64) -> Logged {
        let data = message::ChannelDeleted { channel_id: channel, ..Default::default() };
        self.tells(channel, Audience::All, &data)
    }

    fn joins(&mut self, channel: i64, user: Uuid) -> Logged {
        let data = message::MemberAdded { channel_id: channel, user_id: user.to_string(), ..Default::default() };
        self.tells(channel, Audience::Channel(channel), &data)
    }

    fn leaves(&mut self, channel: i64, user: Uuid) -> Logged {
        let data = message::MemberRemoved { channel_id: channel, user_id: user.to_string(), ..Default::default() };
        self.tells(channel, Audience::Channel(channel), &data)
    }

    fn posts(&mut self, post: i64, channel: i64, author: Uuid, audience: Audience) -> Logged {
        let (author_id, excerpt) = (author.to_string(), format!("\"{post}\"\n|🦀"));
        let data =
            message::PostCreated { post_id: post, channel_id: channel, author_id, excerpt, ..Default::default() };
        self.tells(post, audience, &data)
    }

    fn deletes(&mut self, post: i64, channel: i64, author: Uuid, audience: Audience) -> Logged {
        let (author_id, deleted_by) = (author.to_string(), author.to_string());
        let data = message::PostDeleted { post_id: post, channel_id: channel, author_id, deleted_by };
        self.tells(post, audience, &data)
    }

    fn registers(&mut self, user: Uuid) -> Logged {
        self.tells(user, Audience::All, &message::UserCreated { user_id: user.to_string(), ..Default::default() })
    }
}

async fn apply_to(store: &dyn Store, token: Token, target: Target, entries: Vec<Logged>) -> usize {
    store.apply(token, target, Arc::new(Batch::new(entries))).await.expect("applies")
}

/// Applies to the views that are read.
async fn apply(store: &dyn Store, token: Token, entries: Vec<Logged>) -> usize {
    apply_to(store, token, Target::Current, entries).await
}

/// The first hundred of a list.
async fn page(store: &dyn Store, list: List) -> ListPage {
    store.page(list, Page { page: 1, limit: 100 }).await.expect("reads").found
}

/// The first hundred of a list: type and subject.
async fn shown(store: &dyn Store, list: List) -> Vec<String> {
    let entries = page(store, list).await.entries;
    entries.into_iter().map(|listed| format!("{} {}", listed.entry.kind, listed.entry.subject)).collect()
}

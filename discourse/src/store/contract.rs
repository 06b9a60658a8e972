//! What every store must do, as one test suite: `store_contract!` makes a test of each case on fresh stores.

pub(super) mod changes;
pub(super) mod channels;
pub(super) mod deletions;
pub(super) mod events;
pub(super) mod keys;
pub(super) mod members;
pub(super) mod search;

use std::{any::Any, sync::Arc};

use chrono::{DateTime, Utc};
use kernel::{Page, time};
use storage::idempotency::Claim;
use uuid::Uuid;

use super::{PostPage, Store};
use crate::{
    act::{Act, Versions},
    channel::{Channel, ChannelQuery, ChannelType, NewChannel, PostQuery, access::ChannelError},
    member::{Member, MemberError},
    post::{self, NewPost, Post, PostError, search::PostFilter},
    topic::Topic,
};

/// An empty store, and what must outlive it.
pub(super) struct Fresh {
    pub(super) store: Arc<dyn Store>,
    pub(super) _keep: Box<dyn Any + Send>,
}

/// Makes the tests of a store from a function that opens a fresh one.
macro_rules! store_contract {
    ($fresh:path) => {
        $crate::store::contract::store_contract! { @cases $fresh, channels: [
            a_channel_is_read_back,
            an_unknown_channel_is_none,
            channels_are_listed_newest_first_by_pages,
            filters_match_to_the_letter,
            lists_show_private_channels_to_their_creator_alone,
            what_a_channel_lets_read_is_read_and_listed_and_nothing_else,
            posts_are_permitted_as_the_channel_has_it,
            pinned_posts_come_first_then_the_newest,
            a_topic_filters_posts_and_their_total,
            posts_are_paged,
            a_post_updates_its_channel,
            concurrent_posts_are_all_there,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, keys: [
            retries_of_any_act_at_once_do_it_once,
            a_key_is_for_one_request_of_one_caller_and_act,
            what_was_done_counts_for_its_time_and_not_longer,
            a_refused_post_is_remembered_for_an_hour,
            old_outcomes_are_forgotten_and_no_others,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, events: [
            an_act_is_told_whole_in_its_trace,
            what_only_some_may_read_is_told_to_those_alone,
            a_refusal_is_not_told,
            a_retry_is_not_told_again,
            every_act_that_is_done_is_told_and_no_other,
            changes_are_told_whole_in_the_order_of_versions,
            what_is_not_changed_is_not_told,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, members: [
            a_member_reads_and_posts_until_removed,
            only_the_creator_chooses_members_who_may_leave,
            members_are_shown_to_who_is_inside,
            who_needs_no_membership_gets_none,
            members_are_paged_newest_first,
            a_channel_has_so_many_members_and_not_one_more,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, changes: [
            an_author_changes_a_post,
            a_creator_changes_a_channel,
            only_the_author_changes_a_post_while_they_may_post,
            who_has_not_seen_the_version_changes_nothing,
            of_changes_at_once_of_one_version_one_is_done,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, search: [
            a_post_is_found_by_all_of_its_words,
            whatever_is_looked_for_is_words,
            filters_of_posts_go_together,
            a_post_has_so_many_tags,
            posts_are_listed_newest_first_by_pages,
            only_what_may_be_read_is_found,
        ] }
        $crate::store::contract::store_contract! { @cases $fresh, deletions: [
            a_deleted_post_is_nowhere,
            its_author_or_the_creator_deletes_a_post,
            a_deleted_channel_is_gone_at_once_with_all_that_is_in_it,
            only_its_creator_deletes_a_channel,
            what_is_left_of_deleted_channels_is_removed_little_by_little,
            a_channel_that_is_being_deleted_keeps_no_post_behind,
        ] }
    };
    (@cases $fresh:path, $module:ident: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            let fresh = $fresh().await;
            $crate::store::contract::$module::$case(&*fresh.store).await;
        }
    )*};
}

pub(super) use store_contract;

/// What somebody does without a key.
pub(super) fn act(by: Uuid, at: DateTime<Utc>) -> Act {
    Act { by, at, claim: None, traceparent: None }
}

/// What somebody does with a key.
pub(super) fn keyed(by: Uuid, claim: Claim, at: DateTime<Utc>) -> Act {
    Act { claim: Some(claim), ..act(by, at) }
}

pub(super) fn draft(name: &str, kind: ChannelType) -> NewChannel {
    NewChannel { name: name.to_owned(), description: String::new(), kind, zone: String::new() }
}

pub(super) async fn open(store: &dyn Store, creator: Uuid, kind: ChannelType) -> Channel {
    store.create_channel(act(creator, time::now()), draft("agora", kind)).await.expect("opens")
}

pub(super) fn words(channel: &Channel, content: &str) -> NewPost {
    let (channel_id, content) = (channel.id, content.to_owned());
    NewPost { channel_id, title: String::new(), content, topic: Topic::General, is_pinned: false, tags: vec![] }
}

async fn say(store: &dyn Store, author: Uuid, post: NewPost, at: DateTime<Utc>) -> Post {
    store.create_post(act(author, at), post).await.expect("no failure").expect("permitted")
}

pub(super) fn first_page(channel_id: i64) -> PostQuery {
    PostQuery { channel_id, topic: None, page: Page { page: 1, limit: 100 } }
}

fn all() -> ChannelQuery {
    ChannelQuery { kind: None, zone: None, created_by: None, page: Page { page: 1, limit: 100 } }
}

async fn ids(store: &dyn Store, viewer: Option<Uuid>, query: ChannelQuery) -> Vec<i64> {
    let (channels, total) = store.list_channels(viewer, &query).await.expect("lists");
    if query.page.limit == 100 {
        assert_eq!(total, channels.len() as u64);
    }
    channels.into_iter().map(|channel| channel.id).collect()
}

pub(super) async fn read_page(
    store: &dyn Store,
    viewer: Option<Uuid>,
    channel_id: i64,
) -> Result<PostPage, ChannelError> {
    store.channel(viewer, &first_page(channel_id)).await.expect("no failure")
}

/// The ids of the posts that the creator is shown, and how many there are on all pages.
async fn read(store: &dyn Store, channel: &Channel, query: &PostQuery) -> (Vec<i64>, u64) {
    let (_, posts, total) =
        store.channel(Some(channel.created_by), query).await.expect("no failure").expect("may be read");
    (posts.into_iter().map(|post| post.id).collect(), total)
}

/// Lets somebody in.
async fn add(store: &dyn Store, by: Uuid, channel: &Channel, user: Uuid) -> Result<Member, MemberError> {
    store.add_member(act(by, time::now()), channel.id, user).await.expect("no failure")
}

async fn change_post(
    store: &dyn Store,
    by: Uuid,
    id: i64,
    versions: &[i64],
    change: post::Change,
) -> Result<Post, PostError> {
    store.update_post(act(by, time::now()), id, Versions(versions.to_vec()), change).await.expect("no failure")
}

/// The ids of the posts that a viewer finds.
async fn found(store: &dyn Store, viewer: Option<Uuid>, filter: PostFilter) -> Vec<i64> {
    let (posts, total) = store.list_posts(viewer, &filter, Page { page: 1, limit: 100 }).await.expect("lists");
    assert_eq!(total, posts.len() as u64, "{filter:?}");
    posts.into_iter().map(|post| post.id).collect()
}

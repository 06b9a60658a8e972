//! What is in the lists, and what is not any more.

use std::collections::HashMap;

use super::*;
use crate::channel::{Access, Channel, State};

pub(crate) async fn an_empty_store_has_empty_lists(fresh: &Fresh) {
    let store = &*fresh.store;
    store.check_read().await.expect("reads");
    store.check_write().await.expect("writes");
    for list in [List::All, List::Kind("post.created".to_owned()), List::User(ADA)] {
        assert_eq!(page(store, list).await.total, 0);
    }
    let read = store.notices(ADA, Page { page: 1, limit: 1 }).await.expect("reads");
    assert_eq!((read.found.unread, read.found.page.total, read.head.position, read.as_of), (0, 0, 0, None));
    assert_eq!(store.mark_read(ADA, None).await.expect("marks"), 0);
    assert!(store.head(Target::Current).await.expect("reads").is_none());
    assert!(store.after(0, 10).await.expect("reads").found.is_empty());
}

pub(crate) async fn what_happened_is_listed_newest_first_by_pages_and_types(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    let told = vec![
        discourse.opens(1, ADA, "public"),
        discourse.posts(1, 1, BOB, Audience::All),
        discourse.posts(2, 1, BOB, Audience::All),
    ];
    let ids: Vec<_> = told.iter().map(|logged| logged.event.id).collect();
    assert_eq!(apply(store, token, told).await, 3);
    assert_eq!(shown(store, List::All).await, ["post.created 2", "post.created 1", "channel.created 1"]);
    let posts = List::Kind("post.created".to_owned());
    assert_eq!(shown(store, posts.clone()).await, ["post.created 2", "post.created 1"]);
    let second = fresh.other.page(List::All, Page { page: 2, limit: 2 }).await.expect("reads");
    assert_eq!((second.found.total, second.found.entries.len()), (3, 1));
    assert_eq!((second.head.number, second.head.position), (3, 3));
    let oldest = &second.found.entries[0];
    assert_eq!((oldest.number, oldest.entry.number, oldest.entry.id), (1, Some(1), ids[0]));
    let newest = &page(store, posts).await.entries[0];
    assert_eq!((newest.number, newest.entry.number), (2, Some(3)), "its number among all stays");
    assert!(newest.entry.data.get().contains("🦀"), "{}", newest.entry.data);
    let after = store.after(1, 1).await.expect("reads").found;
    assert_eq!(after.iter().map(|listed| listed.number).collect::<Vec<_>>(), [2]);
    assert_eq!(shown(store, List::User(BOB)).await, ["post.created 2", "post.created 1"]);
    assert_eq!(shown(store, List::User(ADA)).await, ["channel.created 1"]);
}

pub(crate) async fn lists_let_go_of_the_oldest(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    apply(store, token, vec![discourse.opens(1, ADA, "public")]).await;
    for batch in 0..4 {
        let told = (0..250_i64).map(|number| discourse.posts(batch * 250 + number, 1, BOB, Audience::All)).collect();
        apply(store, token, told).await;
    }
    let total = async |list| page(store, list).await.total;
    assert_eq!((total(List::All).await, total(List::Kind("post.created".to_owned())).await), (1000, 1000));
    assert_eq!(total(List::Kind("channel.created".to_owned())).await, 1, "lists of types are lists of their own");
    assert_eq!((total(List::User(BOB)).await, total(List::User(ADA)).await), (100, 1));
    assert_eq!(total(List::Notices(ADA)).await, 200);
    let oldest = &store.after(0, 1).await.expect("reads").found[0];
    assert_eq!((oldest.number, oldest.entry.subject.as_str()), (2, "0"));
    // The oldest goes, and the news of that comes.
    apply(store, token, vec![discourse.deletes(0, 1, BOB, Audience::All)]).await;
    assert_eq!(total(List::All).await, 1000);
}

pub(crate) async fn what_is_deleted_goes_from_all_lists(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    let told = vec![
        discourse.opens(1, ADA, "public"),
        discourse.posts(1, 1, BOB, Audience::All),
        discourse.posts(11, 1, BOB, Audience::All),
        discourse.deletes(1, 1, BOB, Audience::All),
    ];
    apply(store, token, told).await;
    assert_eq!(shown(store, List::All).await, ["post.deleted 1", "post.created 11", "channel.created 1"]);
    assert_eq!(shown(store, List::Notices(ADA)).await, ["post.created 11"]);
    assert_eq!(shown(store, List::User(BOB)).await, ["post.deleted 1", "post.created 11"]);
    apply(store, token, vec![discourse.closes(1), discourse.posts(12, 1, BOB, Audience::All)]).await;
    assert_eq!(shown(store, List::All).await, ["channel.deleted 1"]);
    assert!(shown(store, List::Notices(ADA)).await.is_empty());
    assert!(shown(store, List::User(BOB)).await.is_empty());
    assert_eq!(store.after(0, 10).await.expect("reads").head.number, 5, "numbers go on");
}

pub(crate) async fn a_channel_that_closes_is_not_for_all_any_more(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    apply(store, token, vec![discourse.opens(1, ADA, "public"), discourse.posts(1, 1, BOB, Audience::All)]).await;
    // Of the post that comes late, too: it was for all when it was written.
    let told = vec![discourse.turns(1, "private"), discourse.posts(2, 1, BOB, Audience::All)];
    apply(store, token, told).await;
    assert!(shown(store, List::All).await.is_empty());
    assert!(shown(store, List::Kind("post.created".to_owned())).await.is_empty());
    assert_eq!(shown(store, List::User(BOB)).await, ["post.created 2", "post.created 1"], "those who may still see it");
    let accesses = store.accesses(Some(EVE), vec![1]).await.expect("reads");
    assert_eq!(accesses[&1].channel, Channel { owner: Some(ADA), state: State::Closed });
}

pub(crate) async fn members_come_and_go(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    let told = vec![discourse.opens(1, ADA, "private"), discourse.opens(2, ADA, "private"), discourse.joins(1, BOB)];
    apply(store, token, told).await;
    let closed = Channel { owner: Some(ADA), state: State::Closed };
    let expected = |is_member| HashMap::from([(1, Access { channel: closed, is_member })]);
    let accesses = async |viewer| store.accesses(viewer, vec![1, 7]).await.expect("reads");
    assert_eq!(accesses(Some(BOB)).await, expected(true));
    for other in [None, Some(EVE)] {
        assert_eq!(accesses(other).await, expected(false));
    }
    let both = store.accesses(Some(BOB), vec![2, 1]).await.expect("reads");
    assert!(both[&1].is_member && !both[&2].is_member);
    apply(store, token, vec![discourse.leaves(1, BOB), discourse.joins(1, EVE)]).await;
    assert_eq!((accesses(Some(BOB)).await, accesses(Some(EVE)).await), (expected(false), expected(true)));
    apply(store, token, vec![discourse.closes(1)]).await;
    let gone = accesses(Some(EVE)).await[&1];
    assert_eq!((gone.channel.state, gone.is_member), (State::Gone, false));
    assert!(store.accesses(Some(EVE), Vec::new()).await.expect("reads").is_empty());
}

pub(crate) async fn notifications_are_read_up_to_one(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    let mut told = vec![discourse.opens(1, ADA, "public"), discourse.opens(2, EVE, "public")];
    told.extend((1..=5).map(|post| discourse.posts(post, 1, BOB, Audience::All)));
    told.push(discourse.posts(6, 2, BOB, Audience::All));
    apply(store, token, told).await;
    let unread = async |user| {
        let found = fresh.other.notices(user, Page { page: 1, limit: 1 }).await.expect("reads").found;
        (found.read, found.unread, found.page.total)
    };
    assert_eq!((unread(ADA).await, unread(EVE).await, unread(BOB).await), ((0, 5, 5), (0, 1, 1), (0, 0, 0)));
    assert_eq!(store.mark_read(ADA, Some(3)).await.expect("marks"), 2);
    assert_eq!(store.mark_read(ADA, Some(2)).await.expect("marks"), 2, "there is no way back");
    assert_eq!(unread(ADA).await, (3, 2, 5));
    // What does not exist yet is not read.
    assert_eq!(store.mark_read(ADA, Some(u64::MAX)).await.expect("marks"), 0);
    apply(store, token, vec![discourse.posts(7, 1, BOB, Audience::All)]).await;
    assert_eq!(unread(ADA).await, (5, 1, 6));
    assert_eq!(store.mark_read(ADA, None).await.expect("marks"), 0);
    assert_eq!((unread(ADA).await, unread(EVE).await), ((6, 0, 6), (0, 1, 1)));
}

pub(crate) async fn what_happens_is_counted(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut discourse) = (holder(store).await, Teller::default());
    let at = |mut logged: Logged, seconds: i64| {
        let base = chrono::DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        logged.event.time = base + chrono::Duration::seconds(seconds);
        logged
    };
    let told = vec![
        at(discourse.opens(1, ADA, "public"), 0),
        at(discourse.posts(1, 1, BOB, Audience::All), 1),
        at(discourse.posts(2, 1, BOB, Audience::All), 2),
        at(discourse.posts(3, 1, BOB, Audience::Channel(1)), 2),
    ];
    apply(store, token, told).await;
    apply(store, token, vec![at(discourse.posts(4, 1, EVE, Audience::All), 2)]).await;
    let stats = async |seconds: i64| {
        let base = chrono::DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("in range");
        store.stats(base).await.expect("reads").found
    };
    let now = stats(2).await;
    let totals: Vec<_> = now.totals.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(totals, [("channel.created", 1), ("post.created", 3)]);
    assert_eq!((now.rates, now.active_users, now.is_rebuilding), ([4, 4, 4], 3, false));
    assert_eq!(stats(61).await.rates, [2, 4, 4]);
    assert_eq!(stats(62).await.rates, [0, 4, 4]);
    assert_eq!(stats(3 * 3600).await.rates, [0, 0, 4]);
    let later = stats(25 * 3600).await;
    assert_eq!((later.rates, later.active_users), ([0, 0, 0], 0));
    // A slot that is used again forgets what it counted, and what comes late is not counted in it.
    apply(store, token, vec![at(discourse.posts(5, 1, BOB, Audience::All), 62)]).await;
    apply(store, token, vec![at(discourse.posts(6, 1, BOB, Audience::All), 2)]).await;
    assert_eq!(stats(62).await.rates[0], 1);
    assert_eq!(stats(62).await.totals["post.created"], 5);
}

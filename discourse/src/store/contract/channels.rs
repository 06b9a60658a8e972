use std::collections::HashSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use kernel::{Page, time};
use uuid::Uuid;

use super::{act, all, draft, first_page, ids, open, read, read_page, say, words};
use crate::{
    channel::{ChannelQuery, ChannelType, NewChannel, PostQuery, access::ChannelError},
    post::{NewPost, PostError},
    store::Store,
    topic::Topic,
};

pub(crate) async fn a_channel_is_read_back(store: &dyn Store) {
    let (creator, at) = (Uuid::new_v4(), time::now());
    let draft = NewChannel {
        name: "ägora \u{1f980}".to_owned(),
        description: "a place".to_owned(),
        kind: ChannelType::Sovereign,
        zone: "athens".to_owned(),
    };
    let channel = store.create_channel(act(creator, at), draft.clone()).await.expect("opens");
    assert_eq!((&channel.name, &channel.description, &channel.zone), (&draft.name, &draft.description, &draft.zone));
    assert_eq!((channel.kind, channel.created_by), (draft.kind, creator));
    assert_eq!((channel.created_at, channel.updated_at), (at, at));
    let (read, posts, total) = read_page(store, Some(creator), channel.id).await.expect("there");
    assert_eq!((read, posts, total), (channel, vec![], 0));
}

pub(crate) async fn an_unknown_channel_is_none(store: &dyn Store) {
    for id in [1, i64::MAX] {
        assert_eq!(read_page(store, Some(Uuid::new_v4()), id).await.expect_err("none"), ChannelError::NotFound);
    }
}

pub(crate) async fn channels_are_listed_newest_first_by_pages(store: &dyn Store) {
    let (creator, start) = (Uuid::new_v4(), time::now());
    let mut newest_first = Vec::new();
    // Two of each moment: ties are broken by id.
    for number in 0..8 {
        let at = start + TimeDelta::microseconds(number / 2);
        let channel = store.create_channel(act(creator, at), draft("agora", ChannelType::Public)).await.expect("opens");
        newest_first.insert(0, channel.id);
    }
    assert_eq!(ids(store, None, all()).await, newest_first);
    for (page, expected) in [(1, &newest_first[..3]), (2, &newest_first[3..6]), (3, &newest_first[6..]), (4, &[][..])] {
        let query = ChannelQuery { page: Page { page, limit: 3 }, ..all() };
        let (channels, total) = store.list_channels(None, &query).await.expect("lists");
        assert_eq!((channels.iter().map(|c| c.id).collect::<Vec<_>>().as_slice(), total), (expected, 8));
    }
    let far = ChannelQuery { page: Page { page: u32::MAX, limit: 100 }, ..all() };
    assert_eq!(store.list_channels(None, &far).await.expect("lists"), (vec![], 8));
}

pub(crate) async fn filters_match_to_the_letter(store: &dyn Store) {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let mut opened = Vec::new();
    for (creator, kind, zone) in [
        (ada, ChannelType::Public, "north"),
        (ada, ChannelType::Sovereign, "North"),
        (bob, ChannelType::Public, "north"),
        (bob, ChannelType::Public, ""),
    ] {
        let draft = NewChannel { zone: zone.to_owned(), ..draft("agora", kind) };
        opened.push(store.create_channel(act(creator, time::now()), draft).await.expect("opens").id);
    }
    let [first, second, third, fourth] = opened[..] else { panic!("four") };
    let zone = |zone: &str| Some(zone.to_owned());
    assert_eq!(ids(store, None, ChannelQuery { zone: zone("north"), ..all() }).await, [third, first]);
    assert_eq!(ids(store, None, ChannelQuery { zone: zone("nowhere"), ..all() }).await, [0_i64; 0]);
    let public = ChannelQuery { kind: Some(ChannelType::Public), ..all() };
    assert_eq!(ids(store, None, public).await, [fourth, third, first]);
    assert_eq!(ids(store, None, ChannelQuery { created_by: Some(ada), ..all() }).await, [second, first]);
    let both = ChannelQuery { zone: zone("north"), created_by: Some(bob), ..all() };
    assert_eq!(ids(store, None, both).await, [third]);
}

pub(crate) async fn lists_show_private_channels_to_their_creator_alone(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    let public = open(store, creator, ChannelType::Public).await.id;
    let private = open(store, creator, ChannelType::Private).await.id;
    let sovereign = open(store, creator, ChannelType::Sovereign).await.id;
    assert_eq!(ids(store, Some(creator), all()).await, [sovereign, private, public]);
    for viewer in [Some(other), None] {
        assert_eq!(ids(store, viewer, all()).await, [sovereign, public]);
        assert_eq!(ids(store, viewer, ChannelQuery { kind: Some(ChannelType::Private), ..all() }).await, [0_i64; 0]);
        assert_eq!(ids(store, viewer, ChannelQuery { created_by: Some(creator), ..all() }).await, [sovereign, public]);
    }
}

/// The rule and what stores make of it in SQL are the same.
pub(crate) async fn what_a_channel_lets_read_is_read_and_listed_and_nothing_else(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    for kind in [ChannelType::Public, ChannelType::Private, ChannelType::Sovereign] {
        let channel = open(store, creator, kind).await;
        let post = say(store, creator, words(&channel, "words"), channel.created_at).await;
        for viewer in [Some(creator), Some(other), None] {
            let may_read = channel.may_read(channel.standing(viewer, false));
            let expected = match may_read {
                true => Ok((channel.clone(), vec![post.clone()], 1)),
                false => Err(ChannelError::AccessDenied),
            };
            assert_eq!(read_page(store, viewer, channel.id).await, expected, "{kind:?} {viewer:?}");
            let listed = ids(store, viewer, ChannelQuery { kind: Some(kind), ..all() }).await;
            assert_eq!(listed.contains(&channel.id), may_read, "{kind:?} {viewer:?}");
        }
    }
}

pub(crate) async fn posts_are_permitted_as_the_channel_has_it(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    let denied = Err(PostError::Channel(ChannelError::AccessDenied));
    for (kind, others) in
        [(ChannelType::Public, Ok(())), (ChannelType::Private, denied), (ChannelType::Sovereign, denied)]
    {
        let channel = open(store, creator, kind).await;
        let attempt = async |author, is_pinned| {
            let post = NewPost { is_pinned, ..words(&channel, "hear, hear") };
            store.create_post(act(author, time::now()), post).await.expect("no failure").map(drop)
        };
        assert_eq!(attempt(creator, true).await, Ok(()), "{kind:?}");
        assert_eq!(attempt(other, false).await, others, "{kind:?}");
        assert_eq!(attempt(other, true).await, others.and(Err(PostError::PinDenied)), "{kind:?}");
        let kept = if others.is_ok() { 2 } else { 1 };
        assert_eq!(read(store, &channel, &first_page(channel.id)).await.1, kept, "what was refused is not kept");
    }
    let nowhere = NewPost { channel_id: 999, ..words(&open(store, creator, ChannelType::Public).await, "echo") };
    let refused = store.create_post(act(creator, time::now()), nowhere).await.expect("no failure");
    assert_eq!(refused, Err(PostError::Channel(ChannelError::NotFound)));
}

pub(crate) async fn pinned_posts_come_first_then_the_newest(store: &dyn Store) {
    let (creator, start) = (Uuid::new_v4(), time::now());
    let channel = open(store, creator, ChannelType::Public).await;
    let mut made = Vec::new();
    for (offset, is_pinned) in [(0, true), (1, false), (1, false), (3, false), (2, true)] {
        let at = start + TimeDelta::microseconds(offset);
        made.push(say(store, creator, NewPost { is_pinned, ..words(&channel, "words") }, at).await.id);
    }
    assert_eq!(
        read(store, &channel, &first_page(channel.id)).await,
        (vec![made[4], made[0], made[3], made[2], made[1]], 5)
    );
}

pub(crate) async fn a_topic_filters_posts_and_their_total(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Public).await;
    for topic in [Topic::Economic, Topic::Strategic, Topic::Economic] {
        let post = say(store, creator, NewPost { topic, ..words(&channel, "words") }, time::now()).await;
        assert_eq!(post.topic, topic);
    }
    let of = |topic| PostQuery { topic, ..first_page(channel.id) };
    assert_eq!(read(store, &channel, &of(Some(Topic::Economic))).await.1, 2);
    assert_eq!(read(store, &channel, &of(Some(Topic::Economic))).await.0.len(), 2);
    assert_eq!(read(store, &channel, &of(Some(Topic::Philosophical))).await, (vec![], 0));
    assert_eq!(read(store, &channel, &of(None)).await.1, 3);
}

pub(crate) async fn posts_are_paged(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let (channel, other) =
        (open(store, creator, ChannelType::Public).await, open(store, creator, ChannelType::Public).await);
    let mut newest_first = Vec::new();
    for number in 0..5 {
        newest_first.insert(0, say(store, creator, words(&channel, &number.to_string()), time::now()).await.id);
        say(store, creator, words(&other, "elsewhere"), time::now()).await;
    }
    for (page, expected) in [(1, &newest_first[..2]), (2, &newest_first[2..4]), (3, &newest_first[4..]), (4, &[][..])] {
        let query = PostQuery { page: Page { page, limit: 2 }, ..first_page(channel.id) };
        assert_eq!(read(store, &channel, &query).await, (expected.to_vec(), 5));
    }
}

pub(crate) async fn a_post_updates_its_channel(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Public).await;
    let at = channel.created_at + TimeDelta::seconds(5);
    let draft = NewPost { title: "On value".to_owned(), ..words(&channel, "words \u{1f980}") };
    let post = say(store, creator, draft, at).await;
    let (read, posts, _) = read_page(store, Some(creator), channel.id).await.expect("there");
    assert_eq!((read.created_at, read.updated_at), (channel.created_at, at));
    assert_eq!(posts, [post]);
}

pub(crate) async fn concurrent_posts_are_all_there(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Public).await;
    let posts = join_all((0..64).map(|_| say(store, Uuid::new_v4(), words(&channel, "now"), time::now()))).await;
    let distinct: HashSet<_> = posts.iter().map(|post| post.id).collect();
    let (read, total) = read(store, &channel, &first_page(channel.id)).await;
    assert_eq!((read.into_iter().collect::<HashSet<_>>(), total), (distinct, 64));
}

//! What is changed, by whom, and what they must have seen.

use chrono::TimeDelta;
use futures_util::future::join_all;
use kernel::time;
use uuid::Uuid;

use super::{act, add, change_post, first_page, open, read, read_page, say, words};
use crate::{
    act::Versions,
    channel::{self, Channel, ChannelType, access::ChannelError},
    post::{Change, NewPost, Post, PostError},
    store::Store,
    topic::Topic,
};

fn content(content: &str) -> Change {
    Change { content: Some(content.to_owned()), ..Change::default() }
}

pub(crate) async fn an_author_changes_a_post(store: &dyn Store) {
    let (creator, author) = (Uuid::new_v4(), Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Public).await;
    let draft =
        NewPost { title: "On value".to_owned(), tags: vec!["b".to_owned(), "a".to_owned()], ..words(&channel, "one") };
    let post = say(store, author, draft, time::now()).await;
    assert_eq!((post.version, post.tags.as_slice()), (1, &["b".to_owned(), "a".to_owned()][..]));
    let at = post.created_at + TimeDelta::seconds(7);
    let change = Change {
        title: Some(String::new()),
        topic: Some(Topic::Strategic),
        tags: Some(vec!["\"ä\"".to_owned()]),
        ..content("two")
    };
    let changed = store.update_post(act(author, at), post.id, Versions(vec![1]), change).await.expect("no failure");
    let expected = Post {
        title: String::new(),
        content: "two".to_owned(),
        topic: Topic::Strategic,
        tags: vec!["\"ä\"".to_owned()],
        updated_at: at,
        version: 2,
        ..post
    };
    assert_eq!(changed.as_ref(), Ok(&expected));
    assert_eq!(store.post(None, post.id).await.expect("no failure"), Ok(expected.clone()));
    let (_, posts, total) = read_page(store, None, channel.id).await.expect("there");
    assert_eq!((posts, total), (vec![expected.clone()], 1));
    for (topic, total) in [(Topic::General, 0), (Topic::Strategic, 1)] {
        let query = channel::PostQuery { topic: Some(topic), ..first_page(channel.id) };
        assert_eq!(read(store, &channel, &query).await.1, total, "{topic:?}");
    }
    let same = change_post(store, author, post.id, &[2], content("two")).await;
    assert_eq!(same, Ok(expected), "what stays the same is no change");
    assert_eq!(change_post(store, author, i64::MAX, &[], content("two")).await, Err(PostError::NotFound));
}

pub(crate) async fn a_creator_changes_a_channel(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Private).await;
    let change = |name: &str, kind| channel::Change {
        name: Some(name.to_owned()),
        description: Some("all are welcome".to_owned()),
        kind: Some(kind),
        zone: Some("north".to_owned()),
    };
    let update = async |by, versions: &[i64], change| {
        let at = channel.created_at + TimeDelta::seconds(7);
        store.update_channel(act(by, at), channel.id, Versions(versions.to_vec()), change).await.expect("no failure")
    };
    let refused = update(other, &[], change("mine", ChannelType::Public)).await;
    assert_eq!(refused, Err(ChannelError::AccessDenied));
    let changed = update(creator, &[1], change("forum", ChannelType::Public)).await.expect("its creator");
    let expected = Channel {
        name: "forum".to_owned(),
        description: "all are welcome".to_owned(),
        kind: ChannelType::Public,
        zone: "north".to_owned(),
        updated_at: channel.created_at + TimeDelta::seconds(7),
        version: 2,
        ..channel.clone()
    };
    assert_eq!(changed, expected);
    assert_eq!(read_page(store, None, channel.id).await.expect("all may read it now").0, expected);
    assert_eq!(update(creator, &[2], change("forum", ChannelType::Public)).await, Ok(expected), "no change");
    assert_eq!(update(creator, &[1], change("old", ChannelType::Public)).await, Err(ChannelError::VersionConflict));
    assert_eq!(update(other, &[], change("mine", ChannelType::Public)).await, Err(ChannelError::CreatorsOnly));
}

pub(crate) async fn only_the_author_changes_a_post_while_they_may_post(store: &dyn Store) {
    let [creator, author, other] = [(); 3].map(|()| Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Private).await;
    add(store, creator, &channel, author).await.expect("lets in");
    add(store, creator, &channel, other).await.expect("lets in");
    let post = say(store, author, words(&channel, "mine"), time::now()).await;
    let change = async |by, change| change_post(store, by, post.id, &[], change).await.map(drop);
    for by in [creator, other] {
        assert_eq!(change(by, content("yours")).await, Err(PostError::AuthorsOnly));
    }
    let denied = Err(PostError::Channel(ChannelError::AccessDenied));
    assert_eq!(change(Uuid::new_v4(), content("yours")).await, denied);
    let pin = |is_pinned| Change { is_pinned: Some(is_pinned), ..Change::default() };
    assert_eq!(change(author, pin(true)).await, Err(PostError::PinDenied));
    assert_eq!(change(author, pin(false)).await, Ok(()), "as it is");
    assert_eq!(change(author, content("still mine")).await, Ok(()));
    let removed = store.remove_member(act(creator, time::now()), channel.id, author).await;
    removed.expect("no failure").expect("is one");
    assert_eq!(change(author, content("not any more")).await, denied);
    // One that all may read, and in which they may not post any more.
    let sovereign = channel::Change { kind: Some(ChannelType::Sovereign), ..channel::Change::default() };
    let changed = store.update_channel(act(creator, time::now()), channel.id, Versions::default(), sovereign).await;
    changed.expect("no failure").expect("its creator");
    assert_eq!(change(author, content("not any more")).await, denied);
    let of_creator = say(store, creator, words(&channel, "mine"), time::now()).await;
    let pinned = change_post(store, creator, of_creator.id, &[], pin(true)).await.expect("the creator pins");
    assert!(pinned.is_pinned);
}

pub(crate) async fn who_has_not_seen_the_version_changes_nothing(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let post = say(store, author, words(&channel, "one"), time::now()).await;
    let change = async |versions: &[i64], to| change_post(store, author, post.id, versions, content(to)).await;
    assert_eq!(change(&[1], "two").await.map(|post| post.version), Ok(2));
    for versions in [&[1][..], &[3], &[0], &[i64::MAX, 1]] {
        assert_eq!(change(versions, "three").await, Err(PostError::VersionConflict), "{versions:?}");
        let deleted = store.delete_post(act(author, time::now()), post.id, Versions(versions.to_vec())).await;
        assert_eq!(deleted.expect("no failure"), Err(PostError::VersionConflict), "{versions:?}");
    }
    assert_eq!(store.post(None, post.id).await.expect("no failure").map(|post| post.content), Ok("two".to_owned()));
    assert_eq!(change(&[1, 2], "three").await.map(|post| post.version), Ok(3));
    assert_eq!(change(&[], "four").await.map(|post| post.version), Ok(4), "whichever it has");
}

pub(crate) async fn of_changes_at_once_of_one_version_one_is_done(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let post = say(store, author, words(&channel, "one"), time::now()).await;
    let texts: Vec<_> = (0..16).map(|number| format!("change {number}")).collect();
    let outcomes = join_all(texts.iter().map(|text| change_post(store, author, post.id, &[1], content(text)))).await;
    let done: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!((done.len(), done[0].version), (1, 2));
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == Err(PostError::VersionConflict)));
    assert_eq!(store.post(None, post.id).await.expect("no failure").as_ref(), Ok(done[0]));
}

//! What is deleted is gone, all of it.

use futures_util::future::join_all;
use kernel::{Page, time};
use storage::sweep::BATCH;
use uuid::Uuid;

use super::{act, add, all, change_post, first_page, found, ids, open, read, read_page, say, words};
use crate::{
    act::Versions,
    channel::{Change, Channel, ChannelType, access::ChannelError},
    member::{MemberError, MemberQuery},
    post::{
        self, NewPost, PostError,
        search::{PostFilter, Words},
    },
    store::Store,
    topic::Topic,
};

async fn delete_post(store: &dyn Store, by: Uuid, id: i64) -> Result<(), PostError> {
    store.delete_post(act(by, time::now()), id, Versions::default()).await.expect("no failure")
}

async fn delete(store: &dyn Store, by: Uuid, channel: &Channel) -> Result<(), ChannelError> {
    store.delete_channel(act(by, time::now()), channel.id, Versions::default()).await.expect("no failure")
}

pub(crate) async fn a_deleted_post_is_nowhere(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let draft = NewPost { topic: Topic::Economic, tags: vec!["gold".to_owned()], ..words(&channel, "gold") };
    let post = say(store, author, draft.clone(), time::now()).await;
    let kept = say(store, author, draft, time::now()).await;
    assert_eq!(delete_post(store, author, post.id).await, Ok(()));
    assert_eq!(delete_post(store, author, post.id).await, Err(PostError::NotFound));
    assert_eq!(store.post(Some(author), post.id).await.expect("no failure"), Err(PostError::NotFound));
    assert_eq!(change_post(store, author, post.id, &[], post::Change::default()).await, Err(PostError::NotFound));
    assert_eq!(read(store, &channel, &first_page(channel.id)).await, (vec![kept.id], 1));
    for filter in [
        PostFilter::default(),
        PostFilter { tag: Some("gold".to_owned()), ..PostFilter::default() },
        PostFilter { words: Some(Words::of("gold")), ..PostFilter::default() },
    ] {
        assert_eq!(found(store, None, filter).await, [kept.id]);
    }
}

pub(crate) async fn its_author_or_the_creator_deletes_a_post(store: &dyn Store) {
    let [creator, author, other] = [(); 3].map(|()| Uuid::new_v4());
    let public = open(store, creator, ChannelType::Public).await;
    for by in [author, creator] {
        let post = say(store, author, words(&public, "words"), time::now()).await;
        assert_eq!(delete_post(store, other, post.id).await, Err(PostError::AuthorsOnly));
        assert_eq!(delete_post(store, by, post.id).await, Ok(()));
    }
    let private = open(store, creator, ChannelType::Private).await;
    add(store, creator, &private, author).await.expect("lets in");
    let post = say(store, author, words(&private, "words"), time::now()).await;
    let removed = store.remove_member(act(creator, time::now()), private.id, author).await;
    removed.expect("no failure").expect("is one");
    let denied = Err(PostError::Channel(ChannelError::AccessDenied));
    assert_eq!(delete_post(store, author, post.id).await, denied, "they are outside now");
    assert_eq!(delete_post(store, other, post.id).await, denied);
    assert_eq!(delete_post(store, creator, post.id).await, Ok(()));
}

/// Nobody is shown anything of it, or can do anything to it, both before and after it is removed.
pub(crate) async fn a_deleted_channel_is_gone_at_once_with_all_that_is_in_it(store: &dyn Store) {
    let (creator, member) = (Uuid::new_v4(), Uuid::new_v4());
    let kept = open(store, creator, ChannelType::Public).await;
    let said = say(store, creator, words(&kept, "words"), time::now()).await;
    for kind in [ChannelType::Public, ChannelType::Private, ChannelType::Sovereign] {
        let channel = open(store, creator, kind).await;
        if kind != ChannelType::Public {
            add(store, creator, &channel, member).await.expect("lets in");
        }
        let post = say(store, creator, words(&channel, "words"), time::now()).await;
        assert_eq!(delete(store, creator, &channel).await, Ok(()));
        for is_removed in [false, true] {
            if is_removed {
                while store.remove_deleted().await.expect("removes") > 0 {}
            }
            let at = time::now();
            for viewer in [Some(creator), Some(member), None] {
                assert_eq!(read_page(store, viewer, channel.id).await, Err(ChannelError::NotFound));
                assert_eq!(ids(store, viewer, all()).await, [kept.id]);
                assert_eq!(found(store, viewer, PostFilter::default()).await, [said.id]);
                assert_eq!(store.post(viewer, post.id).await.expect("no failure"), Err(PostError::NotFound));
            }
            assert_eq!(delete(store, creator, &channel).await, Err(ChannelError::NotFound));
            assert_eq!(delete_post(store, creator, post.id).await, Err(PostError::NotFound));
            let changed =
                store.update_channel(act(creator, at), channel.id, Versions::default(), Change::default()).await;
            assert_eq!(changed.expect("no failure"), Err(ChannelError::NotFound));
            let gone = Err(MemberError::Channel(ChannelError::NotFound));
            assert_eq!(add(store, creator, &channel, Uuid::new_v4()).await.map(drop), gone);
            assert_eq!(store.remove_member(act(creator, at), channel.id, member).await.expect("no failure"), gone);
            let query = MemberQuery { channel_id: channel.id, page: Page { page: 1, limit: 20 } };
            let listed = store.list_members(creator, &query).await.expect("no failure");
            assert_eq!(listed, Err(ChannelError::NotFound));
            let refused = store.create_post(act(creator, at), words(&channel, "echo")).await.expect("no failure");
            assert_eq!(refused, Err(PostError::Channel(ChannelError::NotFound)));
        }
        assert!(open(store, creator, kind).await.id > channel.id, "an id is never given twice");
        // So that the next round begins as this one did.
        let again = ids(store, Some(creator), all()).await[0];
        assert_eq!(delete(store, creator, &Channel { id: again, ..channel }).await, Ok(()));
    }
}

pub(crate) async fn only_its_creator_deletes_a_channel(store: &dyn Store) {
    let [creator, member, other] = [(); 3].map(|()| Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Private).await;
    add(store, creator, &channel, member).await.expect("lets in");
    assert_eq!(delete(store, other, &channel).await, Err(ChannelError::AccessDenied));
    assert_eq!(delete(store, member, &channel).await, Err(ChannelError::CreatorsOnly));
    // It has another version since the member came.
    let seen = store.delete_channel(act(creator, time::now()), channel.id, Versions(vec![1])).await;
    assert_eq!(seen.expect("no failure"), Err(ChannelError::VersionConflict));
    let seen = store.delete_channel(act(creator, time::now()), channel.id, Versions(vec![2])).await;
    assert_eq!(seen.expect("no failure"), Ok(()));
}

pub(crate) async fn what_is_left_of_deleted_channels_is_removed_little_by_little(store: &dyn Store) {
    let (creator, member) = (Uuid::new_v4(), Uuid::new_v4());
    let kept = open(store, creator, ChannelType::Private).await;
    add(store, creator, &kept, member).await.expect("lets in");
    let said = say(store, creator, words(&kept, "words"), time::now()).await;
    let channel = open(store, creator, ChannelType::Private).await;
    add(store, creator, &channel, member).await.expect("lets in");
    let posts: Vec<_> = (0..BATCH + 3).collect();
    for some in posts.chunks(50) {
        join_all(some.iter().map(|_| say(store, creator, words(&channel, "words"), time::now()))).await;
    }
    let remove = async || store.remove_deleted().await.expect("removes");
    assert_eq!(remove().await, 0);
    assert_eq!(delete(store, creator, &channel).await, Ok(()));
    assert_eq!(remove().await, BATCH);
    // Posts, a member, and the channel.
    assert_eq!(remove().await, 3 + 1 + 1);
    assert_eq!(remove().await, 0);
    let (page, posts, total) = read_page(store, Some(member), kept.id).await.expect("a member still");
    assert_eq!((page.id, posts, total), (kept.id, vec![said], 1));
}

pub(crate) async fn a_channel_that_is_being_deleted_keeps_no_post_behind(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Public).await;
    let say = async |number: usize| {
        if number == 8 {
            assert_eq!(delete(store, creator, &channel).await, Ok(()));
            return;
        }
        let said = store.create_post(act(Uuid::new_v4(), time::now()), words(&channel, "words")).await;
        let refused = Err(PostError::Channel(ChannelError::NotFound));
        let said = said.expect("no failure").map(drop);
        assert!(said == Ok(()) || said == refused, "{said:?}");
    };
    join_all((0..32).map(say)).await;
    while store.remove_deleted().await.expect("removes") > 0 {}
    assert_eq!(found(store, None, PostFilter::default()).await, [0_i64; 0]);
}

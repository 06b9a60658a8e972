//! Who is let into a channel, and what that lets them do.

use chrono::TimeDelta;
use futures_util::future::join_all;
use kernel::{Page, time};
use uuid::Uuid;

use super::{act, add, all, found, ids, open, read_page, say, words};
use crate::{
    act::Versions,
    channel::{Change, Channel, ChannelType, access::ChannelError},
    member::{MOST, MemberError, MemberQuery},
    post::{NewPost, PostError, search::PostFilter},
    store::Store,
};

async fn remove(store: &dyn Store, by: Uuid, channel: &Channel, user: Uuid) -> Result<(), MemberError> {
    store.remove_member(act(by, time::now()), channel.id, user).await.expect("no failure")
}

fn page_of(channel: &Channel, page: u32, limit: u32) -> MemberQuery {
    MemberQuery { channel_id: channel.id, page: Page { page, limit } }
}

pub(crate) async fn a_member_reads_and_posts_until_removed(store: &dyn Store) {
    let (creator, member) = (Uuid::new_v4(), Uuid::new_v4());
    for kind in [ChannelType::Private, ChannelType::Sovereign] {
        let is_open = kind == ChannelType::Sovereign;
        let channel = open(store, creator, kind).await;
        let theirs = say(store, creator, words(&channel, "welcome"), time::now()).await;
        let sees = async || {
            let query = crate::channel::ChannelQuery { kind: Some(kind), ..all() };
            [
                read_page(store, Some(member), channel.id).await.is_ok(),
                ids(store, Some(member), query).await.contains(&channel.id),
                store.post(Some(member), theirs.id).await.expect("no failure").is_ok(),
                found(store, Some(member), PostFilter { channel_id: Some(channel.id), ..PostFilter::default() })
                    .await
                    .contains(&theirs.id),
            ]
        };
        let says = async |is_pinned| {
            let post = NewPost { is_pinned, ..words(&channel, "me too") };
            store.create_post(act(member, time::now()), post).await.expect("no failure").map(drop)
        };
        let denied = Err(PostError::Channel(ChannelError::AccessDenied));
        assert_eq!((sees().await, says(false).await), ([is_open; 4], denied), "{kind:?}");
        let added = add(store, creator, &channel, member).await.expect("lets in");
        assert_eq!((added.channel_id, added.user_id, added.added_by), (channel.id, member, creator));
        assert_eq!((sees().await, says(false).await), ([true; 4], Ok(())), "{kind:?}");
        assert_eq!(says(true).await, Err(PostError::PinDenied), "{kind:?}: only the creator pins");
        assert_eq!(remove(store, creator, &channel, member).await, Ok(()));
        assert_eq!((sees().await, says(false).await), ([is_open; 4], denied), "{kind:?}");
    }
}

pub(crate) async fn only_the_creator_chooses_members_who_may_leave(store: &dyn Store) {
    let [creator, member, other] = [(); 3].map(|()| Uuid::new_v4());
    for (kind, to_other) in
        [(ChannelType::Private, ChannelError::AccessDenied), (ChannelType::Sovereign, ChannelError::CreatorsOnly)]
    {
        let channel = open(store, creator, kind).await;
        let first = add(store, creator, &channel, member).await.expect("lets in");
        assert_eq!(add(store, creator, &channel, member).await, Ok(first), "who is one stays one");
        assert_eq!(add(store, other, &channel, other).await, Err(to_other.into()), "{kind:?}");
        assert_eq!(add(store, member, &channel, other).await, Err(ChannelError::CreatorsOnly.into()), "{kind:?}");
        assert_eq!(remove(store, other, &channel, member).await, Err(to_other.into()), "{kind:?}");
        assert_eq!(remove(store, creator, &channel, other).await, Err(MemberError::NotFound), "{kind:?}");
        assert_eq!(remove(store, member, &channel, member).await, Ok(()), "{kind:?}: they leave");
        let gone = match kind {
            ChannelType::Private => ChannelError::AccessDenied.into(),
            _ => MemberError::NotFound,
        };
        assert_eq!(remove(store, member, &channel, member).await, Err(gone), "{kind:?}");
    }
    let nowhere = Channel { id: i64::MAX, ..open(store, creator, ChannelType::Private).await };
    assert_eq!(add(store, creator, &nowhere, member).await, Err(ChannelError::NotFound.into()));
    assert_eq!(remove(store, creator, &nowhere, member).await, Err(ChannelError::NotFound.into()));
}

pub(crate) async fn members_are_shown_to_who_is_inside(store: &dyn Store) {
    let [creator, member, other] = [(); 3].map(|()| Uuid::new_v4());
    for kind in [ChannelType::Private, ChannelType::Sovereign] {
        let channel = open(store, creator, kind).await;
        let one = add(store, creator, &channel, member).await.expect("lets in");
        for viewer in [creator, member] {
            let listed = store.list_members(viewer, &page_of(&channel, 1, 20)).await.expect("no failure");
            assert_eq!(listed, Ok((vec![one.clone()], 1)), "{kind:?}");
            let read = async |user| store.member(viewer, channel.id, user).await.expect("no failure");
            assert_eq!(read(member).await, Ok(one.clone()), "{kind:?}");
            assert_eq!(read(other).await, Err(MemberError::NotFound), "{kind:?}");
        }
        let listed = store.list_members(other, &page_of(&channel, 1, 20)).await.expect("no failure");
        assert_eq!(listed, Err(ChannelError::AccessDenied), "{kind:?}");
        let read = store.member(other, channel.id, other).await.expect("no failure");
        assert_eq!(read, Err(ChannelError::AccessDenied.into()), "{kind:?}");
    }
}

pub(crate) async fn who_needs_no_membership_gets_none(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    let public = open(store, creator, ChannelType::Public).await;
    assert_eq!(add(store, creator, &public, other).await, Err(MemberError::NotNeeded));
    let private = open(store, creator, ChannelType::Private).await;
    assert_eq!(add(store, creator, &private, creator).await, Err(MemberError::NotNeeded));
    // Who was let in before it was public is still inside when it is not any more.
    add(store, creator, &private, other).await.expect("lets in");
    for kind in [ChannelType::Public, ChannelType::Private] {
        let change = Change { kind: Some(kind), ..Change::default() };
        let changed = store.update_channel(act(creator, time::now()), private.id, Versions::default(), change).await;
        changed.expect("no failure").expect("its creator");
        assert!(read_page(store, Some(other), private.id).await.is_ok(), "{kind:?}");
    }
    assert_eq!(read_page(store, Some(Uuid::new_v4()), private.id).await, Err(ChannelError::AccessDenied));
}

pub(crate) async fn members_are_paged_newest_first(store: &dyn Store) {
    let (creator, start) = (Uuid::new_v4(), time::now());
    let channel = open(store, creator, ChannelType::Private).await;
    let mut newest_first = Vec::new();
    for number in 0..5 {
        let at = start + TimeDelta::microseconds(number);
        let added = store.add_member(act(creator, at), channel.id, Uuid::new_v4()).await.expect("no failure");
        newest_first.insert(0, added.expect("lets in"));
    }
    for (page, expected) in [(1, &newest_first[..2]), (2, &newest_first[2..4]), (3, &newest_first[4..]), (4, &[][..])] {
        let listed = store.list_members(creator, &page_of(&channel, page, 2)).await.expect("no failure");
        assert_eq!(listed, Ok((expected.to_vec(), 5)));
    }
}

pub(crate) async fn a_channel_has_so_many_members_and_not_one_more(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Private).await;
    let members: Vec<_> = (0..MOST + 5).map(|_| Uuid::new_v4()).collect();
    let mut added = Vec::new();
    for some in members.chunks(50) {
        added.extend(join_all(some.iter().map(|user| add(store, creator, &channel, *user))).await);
    }
    let refused = added.iter().filter(|outcome| **outcome == Err(MemberError::TooMany)).count();
    assert_eq!((added.iter().filter(|outcome| outcome.is_ok()).count() as u64, refused), (MOST, 5));
    let one = added.iter().flatten().next().expect("one").user_id;
    assert!(add(store, creator, &channel, one).await.is_ok(), "who is one stays one");
    remove(store, creator, &channel, one).await.expect("is one");
    assert!(add(store, creator, &channel, Uuid::new_v4()).await.is_ok(), "there is room again");
}

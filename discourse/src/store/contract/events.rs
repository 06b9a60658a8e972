//! What is told of acts: with the act, or not at all.

use ::events::Event;
use chrono::{SubsecRound, TimeDelta};
use futures_util::future::join_all;
use kernel::time;
use serde_json::{Value, json};
use storage::{
    idempotency::Claim,
    lease::{RENEWAL, TASKS, TERM},
};
use uuid::Uuid;

use super::{act, add, all, change_post, draft, first_page, ids, keyed, open, read, words};
use crate::{
    act::{Act, Versions},
    channel::{self, ChannelType, NewChannel},
    member::Member,
    post::{self, NewPost},
    store::Store,
    topic::Topic,
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// All that is told and was not before, as JSON, in the order of its numbers.
async fn told(store: &dyn Store) -> Vec<Value> {
    let (leases, outbox) = (store.leases(), store.outbox());
    let token = leases.acquire(TASKS, "test", TERM).await.expect("answers").expect("it is free");
    while outbox.stamp(token, 500).await.expect("stamps") > 0 {
        assert!(leases.renew(TASKS, token, TERM + RENEWAL).await.expect("answers"));
    }
    let stamped = outbox.unsent(500).await.expect("reads");
    if let Some(last) = stamped.last() {
        outbox.sent(token, last.sequence).await.expect("notes");
    }
    leases.release(TASKS, token).await.expect("answers");
    let json = |stamped: storage::outbox::Stamped| {
        let event = Event::from_json(stamped.message.body.as_bytes()).expect("an event");
        let kept = (stamped.message.id, stamped.message.subject.as_str(), stamped.message.version as u64);
        assert_eq!(kept, (event.id, event.subject.as_str(), event.version));
        assert_eq!(stamped.message.kind, event.kind);
        serde_json::from_str(&stamped.message.body).expect("JSON")
    };
    stamped.into_iter().map(json).collect()
}

pub(crate) async fn an_act_is_told_whole_in_its_trace(store: &dyn Store) {
    let (creator, at) = (Uuid::new_v4(), time::now());
    let traced = || Act { traceparent: Some(TRACE.to_owned()), ..act(creator, at) };
    let channel = NewChannel {
        name: "Gold bugs".to_owned(),
        description: "ä".repeat(201),
        kind: ChannelType::Sovereign,
        zone: "north".to_owned(),
    };
    let channel = store.create_channel(traced(), channel).await.expect("opens");
    let post = NewPost {
        title: "On \"gold\"".to_owned(),
        content: "🦀".repeat(200),
        topic: Topic::Economic,
        is_pinned: true,
        tags: vec!["gold".to_owned()],
        ..words(&channel, "")
    };
    let post = store.create_post(traced(), post).await.expect("no failure").expect("permitted");
    assert_eq!((channel.version, post.version), (1, 1));
    let mut told = told(store).await;
    let data: Vec<_> = told.iter_mut().map(|event| event["data"].take()).collect();
    for (event, kind, subject) in [(&told[0], "channel.created", channel.id), (&told[1], "post.created", post.id)] {
        let expected = json!({
            "specversion": "1.0",
            "id": event["id"],
            "source": "/discourse",
            "type": kind,
            "subject": subject.to_string(),
            "time": event["time"],
            "version": "1",
            "traceparent": TRACE,
            "audience": "all",
            "data": null,
        });
        assert_eq!(*event, expected);
    }
    let (created, posted) = (
        json!({
            "channelId": channel.id.to_string(),
            "name": "Gold bugs",
            "excerpt": "ä".repeat(199) + "…",
            "type": "sovereign",
            "zone": "north",
            "createdBy": creator,
        }),
        json!({
            "postId": post.id.to_string(),
            "channelId": channel.id.to_string(),
            "authorId": creator,
            "title": "On \"gold\"",
            "excerpt": "🦀".repeat(200),
            "topic": "economic",
            "isPinned": true,
            "tags": ["gold"],
        }),
    );
    assert_eq!(data, [created, posted]);
}

pub(crate) async fn what_only_some_may_read_is_told_to_those_alone(store: &dyn Store) {
    let creator = Uuid::new_v4();
    for kind in [ChannelType::Public, ChannelType::Private, ChannelType::Sovereign] {
        let channel = open(store, creator, kind).await;
        let post = store.create_post(act(creator, time::now()), words(&channel, "hush")).await.expect("no failure");
        post.expect("permitted");
        let audience = match kind {
            ChannelType::Private => format!("channel:{}", channel.id),
            _ => "all".to_owned(),
        };
        let told = told(store).await;
        assert_eq!(told.len(), 2, "{kind:?}");
        assert!(told.iter().all(|event| event["audience"] == audience), "{kind:?}: {told:?}");
    }
}

pub(crate) async fn a_refusal_is_not_told(store: &dyn Store) {
    let (creator, other) = (Uuid::new_v4(), Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Public).await;
    let private = open(store, creator, ChannelType::Private).await;
    assert_eq!(told(store).await.len(), 2);
    for (number, refused) in [
        NewPost { is_pinned: true, ..words(&channel, "me first") },
        words(&private, "let me in"),
        NewPost { channel_id: i64::MAX, ..words(&channel, "nowhere") },
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key-{number}").parse().expect("key");
        let claim = Claim::new(other, "CreatePost", key, &refused);
        for act in [act(other, time::now()), keyed(other, claim, time::now())] {
            store.create_post(act, refused.clone()).await.expect("no failure").expect_err("refused");
        }
    }
    assert!(told(store).await.is_empty());
}

pub(crate) async fn a_retry_is_not_told_again(store: &dyn Store) {
    let (author, at) = (Uuid::new_v4(), time::now().trunc_subsecs(6));
    let opened = draft("agora", ChannelType::Public);
    let claim = Claim::new(author, "CreateChannel", "key".parse().expect("key"), &opened);
    let open = |later| store.create_channel(keyed(author, claim.clone(), at + later), opened.clone());
    let channel = open(TimeDelta::zero()).await.expect("opens");
    assert_eq!(open(TimeDelta::hours(1)).await.expect("no failure"), channel);
    let post = words(&channel, "once");
    let claim = Claim::new(author, "CreatePost", "key".parse().expect("key"), &post);
    // All at once, and then once more.
    let say = || store.create_post(keyed(author, claim.clone(), at), post.clone());
    for said in join_all((0..8).map(|_| say())).await {
        said.expect("no failure").expect("permitted");
    }
    say().await.expect("no failure").expect("permitted");
    let kinds: Vec<_> = told(store).await.into_iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["channel.created", "post.created"]);
}

/// Calls that their callers gave up on in the middle: cut off at any moment, the act and what is told of it are there or
/// neither is.
pub(crate) async fn every_act_that_is_done_is_told_and_no_other(store: &dyn Store) {
    let creator = Uuid::new_v4();
    let channel = open(store, creator, ChannelType::Public).await;
    let calls = (0..60_u32).map(|number| {
        let key = format!("key-{number}").parse().expect("key");
        let post = words(&channel, &number.to_string());
        let claim = (number % 2 == 0).then(|| Claim::new(creator, "CreatePost", key, &post));
        let call = store.create_post(Act { claim, ..act(creator, time::now()) }, post);
        tokio::time::timeout(std::time::Duration::from_micros(u64::from(number) * 150), call)
    });
    join_all(calls).await;
    // What was under way has ended when this has: writers take turns, or the server has cut it off by then.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (mut kept, total) = read(store, &channel, &first_page(channel.id)).await;
    assert_eq!((kept.len() as u64, ids(store, None, all()).await), (total, vec![channel.id]));
    let mut subjects: Vec<i64> = Vec::new();
    for event in told(store).await.iter().filter(|event| event["type"] == "post.created") {
        subjects.push(event["subject"].as_str().expect("text").parse().expect("an id"));
    }
    kept.sort_unstable();
    subjects.sort_unstable();
    assert_eq!(subjects, kept);
}

pub(crate) async fn changes_are_told_whole_in_the_order_of_versions(store: &dyn Store) {
    let [creator, member] = [(); 2].map(|()| Uuid::new_v4());
    let any = Versions::default;
    let traced = |by| Act { traceparent: Some(TRACE.to_owned()), ..act(by, time::now()) };
    let diary = open(store, creator, ChannelType::Private).await;
    store.add_member(traced(creator), diary.id, member).await.expect("no failure").expect("lets in");
    let post = store.create_post(traced(member), words(&diary, "hush")).await.expect("no failure").expect("permitted");
    let change =
        post::Change {
            content: Some("ä".repeat(201)), tags: Some(vec!["gold".to_owned()]), ..post::Change::default()
        };
    store.update_post(traced(member), post.id, any(), change).await.expect("no failure").expect("its author");
    store.delete_post(traced(creator), post.id, any()).await.expect("no failure").expect("the creator");
    store.remove_member(traced(member), diary.id, member).await.expect("no failure").expect("they leave");
    let change = channel::Change {
        kind: Some(ChannelType::Public),
        description: Some("d".to_owned()),
        ..channel::Change::default()
    };
    store.update_channel(traced(creator), diary.id, any(), change).await.expect("no failure").expect("the creator");
    store.delete_channel(traced(creator), diary.id, any()).await.expect("no failure").expect("the creator");

    let told = told(store).await;
    assert!(told[1..].iter().all(|event| event["traceparent"] == TRACE), "{told:#?}");
    let (channel, own, id) = (diary.id.to_string(), format!("channel:{}", diary.id), post.id.to_string());
    let about = |subject: &str, kinds: &str| {
        let told = told.iter().filter(|event| {
            event["subject"] == subject && event["type"].as_str().is_some_and(|kind| kinds.contains(&kind[..4]))
        });
        let short = |event: &Value| json!([event["type"], event["version"], event["audience"], event["data"]]);
        Value::from_iter(told.map(short))
    };
    let of_channel = json!([
        ["channel.created", "1", own,
         {"channelId": channel, "name": "agora", "type": "private", "createdBy": creator}],
        ["member.added", "2", own, {"channelId": channel, "userId": member, "addedBy": creator}],
        ["member.removed", "3", own, {"channelId": channel, "userId": member, "removedBy": member}],
        ["channel.updated", "4", "all",
         {"channelId": channel, "name": "agora", "excerpt": "d", "type": "public", "updatedBy": creator,
          "changed": ["description", "type"]}],
        ["channel.deleted", "5", "all", {"channelId": channel, "name": "agora", "deletedBy": creator}],
    ]);
    assert_eq!(about(&channel, "channel member"), of_channel);
    let of_post = json!([
        ["post.created", "1", own,
         {"postId": id, "channelId": channel, "authorId": member, "excerpt": "hush", "topic": "general"}],
        ["post.updated", "2", own,
         {"postId": id, "channelId": channel, "authorId": member, "excerpt": "ä".repeat(199) + "…", "topic": "general",
          "tags": ["gold"], "changed": ["content", "tags"]}],
        ["post.deleted", "3", own,
         {"postId": id, "channelId": channel, "authorId": member, "deletedBy": creator}],
    ]);
    assert_eq!(about(&id, "post"), of_post);
}

pub(crate) async fn what_is_not_changed_is_not_told(store: &dyn Store) {
    let [creator, member, other] = [(); 3].map(|()| Uuid::new_v4());
    let channel = open(store, creator, ChannelType::Private).await;
    let Member { user_id, .. } = add(store, creator, &channel, member).await.expect("lets in");
    let post = store.create_post(act(creator, time::now()), words(&channel, "hush")).await.expect("no failure");
    let post = post.expect("permitted");
    assert_eq!(told(store).await.len(), 3);
    let same = post::Change { content: Some("hush".to_owned()), ..post::Change::default() };
    change_post(store, creator, post.id, &[1], same.clone()).await.expect("nothing to do");
    let same_channel = channel::Change { name: Some("agora".to_owned()), ..channel::Change::default() };
    let at = time::now();
    let unchanged = store.update_channel(act(creator, at), channel.id, Versions::default(), same_channel.clone()).await;
    assert_eq!(unchanged.expect("no failure").expect("nothing to do").version, 2, "of its member");
    add(store, creator, &channel, user_id).await.expect("is one");
    for by in [member, other] {
        change_post(store, by, post.id, &[], same.clone()).await.expect_err("refused");
        let refused = store.delete_post(act(by, at), post.id, Versions::default()).await.expect("no failure");
        refused.expect_err("refused");
        let refused = store.update_channel(act(by, at), channel.id, Versions::default(), same_channel.clone()).await;
        refused.expect("no failure").expect_err("refused");
        let refused = store.delete_channel(act(by, at), channel.id, Versions::default()).await;
        refused.expect("no failure").expect_err("refused");
        add(store, by, &channel, other).await.expect_err("refused");
        let refused = store.remove_member(act(by, at), channel.id, creator).await.expect("no failure");
        refused.expect_err("refused");
    }
    change_post(store, creator, post.id, &[7], same).await.expect_err("not seen");
    assert!(told(store).await.is_empty());
}

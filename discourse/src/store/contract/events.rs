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

use super::{act, all, draft, first_page, ids, keyed, open, read, words};
use crate::{
    act::Act,
    channel::{ChannelType, NewChannel},
    post::NewPost,
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

//! What is done at the doors is in the log: once, without gaps, for whom it is meant.

use std::time::Duration;

use events::{
    Event, Replay, Start,
    follow::{Sequences, Step},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{System, send};

/// What has not arrived by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A reader of all that ever happened.
struct Reader {
    replay: Box<dyn Replay>,
    sequences: Sequences,
}

impl Reader {
    async fn new(system: &System) -> Self {
        Self { replay: system.log.replay(Start::First).await.unwrap(), sequences: Sequences::from_first() }
    }

    /// The next `count` events, each once; they have the next numbers of their sources.
    async fn next(&mut self, count: usize) -> Vec<Event> {
        let mut told = Vec::new();
        let read = async {
            while told.len() < count {
                for entry in self.replay.next(count - told.len()).await.unwrap() {
                    match self.sequences.take(&entry.event.source, entry.event.sequence.unwrap()) {
                        Step::Next => told.push(entry.event),
                        // Of a relay that has lost its lease before it took note of what it had sent.
                        Step::Known => {}
                        Step::Gap(missing) => panic!("{missing} are missing before {:?}", entry.event),
                    }
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, read).await;
        ended.unwrap_or_else(|_| panic!("{count} do not arrive: {told:#?}"));
        told
    }
}

fn data(event: &Event) -> Value {
    serde_json::from_str(event.data.get()).unwrap()
}

/// The type, version and audience of each event about a subject.
fn about<'a>(told: &'a [Event], subject: &str) -> Vec<(&'a str, u64, String)> {
    let about = told.iter().filter(|event| event.subject == subject);
    about.map(|event| (event.kind.as_str(), event.version, event.audience.to_string())).collect()
}

#[tokio::test]
async fn what_is_done_is_told_once_in_order_and_to_whom_it_is_meant_for() {
    let system = super::start().await;
    let mut reader = Reader::new(&system).await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let item = ada.new_item().await;
    assert_eq!(ada.purchase(&item, None).await.problem(), (409, "own_item"));
    let mut sale = Value::Null;
    for _ in 0..2 {
        let sold = bob.purchase(&item, Some("key-1")).await;
        assert_eq!(sold.status, 200, "{sold:?}");
        sale = sold.json["transaction"].clone();
    }
    assert_eq!(bob.purchase(&item, None).await.problem(), (409, "item_not_available"));
    for _ in 0..2 {
        let deposit = json!({"currency": "EUR", "amount": "3.75"});
        let deposit = bob.request(Method::POST, "/marketplace/deposit").json(&deposit);
        assert_eq!(send(deposit.header("idempotency-key", "key-2")).await.status, 201);
    }
    let profile =
        json!({"bio": "Digs.", "email": "bob@example.org", "phone": "+44 20 7946 0000", "address": "12 Low Row"});
    assert_eq!(bob.put("/profile", &profile).await.status, 200);
    let diary = ada.post("/discourse/channel", &json!({"name": "Diary", "type": "private"})).await;
    assert_eq!(diary.status, 201, "{diary:?}");
    let post = json!({"channelId": diary.json["id"], "content": "Dear diary"});
    assert_eq!(ada.post("/discourse/post", &post).await.status, 201);

    // Both registered, one wrote a profile; both opened a wallet, and three things were done; a channel and a post.
    let told = reader.next(3 + 7 + 2).await;
    let of = |source: &str| told.iter().filter(|event| event.source == source).count();
    assert_eq!([of("/accounts"), of("/marketplace"), of("/discourse")], [3, 7, 2], "{told:#?}");

    let all = "all".to_owned();
    assert_eq!(about(&told, &item), [("item.listed", 1, all.clone()), ("item.sold", 2, all.clone())]);
    let sold = data(told.iter().find(|event| event.kind == "item.sold").unwrap());
    let expected = json!({
        "itemId": item, "transactionId": sale["_id"], "sellerId": ada.id, "buyerId": bob.id, "name": "Gold bar",
        "category": "asset", "price": {"currency": "USD", "amount": "12.50"}, "type": "purchase",
    });
    assert_eq!(sold, expected);
    let of_bob: Vec<_> =
        told.iter().filter(|event| event.subject == bob.id && event.source == "/marketplace").collect();
    let of_bob: Vec<_> = of_bob.iter().map(|event| (event.kind.as_str(), event.audience.to_string())).collect();
    assert_eq!(of_bob, [("money.moved", "system".to_owned()), ("money.deposited", format!("users:{}", bob.id))]);
    let moved: Vec<_> = told.iter().filter(|event| event.kind == "money.moved").collect();
    assert_eq!(moved.len(), 4, "{told:#?}");
    assert!(moved.iter().all(|event| event.audience.to_string() == "system"), "{moved:#?}");
    let channel = format!("channel:{}", diary.json["id"]);
    let of_diary = told.iter().filter(|event| event.source == "/discourse");
    assert!(of_diary.clone().all(|event| event.audience.to_string() == channel), "{told:#?}");

    for event in told.iter().filter(|event| event.audience.to_string() == "all") {
        let text = event.to_json().unwrap();
        for private in ["bob@example.org", "7946", "Low Row", "iary", "3.75", "correct horse"] {
            assert!(!text.contains(private), "{private}: {text}");
        }
    }

    // Of retries and refusals nothing: the next is what is done next.
    let next = ada.new_item().await;
    assert_eq!(about(&reader.next(1).await, &next), [("item.listed", 1, all)]);
}

#[tokio::test]
async fn what_becomes_of_a_channel_and_of_what_is_said_there_is_told_in_order() {
    let system = super::start().await;
    let mut reader = Reader::new(&system).await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let diary = ada.post("/discourse/channel", &json!({"name": "Diary", "type": "private"})).await.json["id"].clone();
    let (channel, member) =
        (format!("/discourse/channel/{diary}"), format!("/discourse/channel/{diary}/members/{}", bob.id));
    assert_eq!(ada.put(&member, &json!({})).await.status, 200);
    let said = bob.post("/discourse/post", &json!({"channelId": diary, "content": "hush", "tags": ["t"]})).await;
    let post = format!("/discourse/post/{}", said.json["id"]);
    let seen = |method, path: &str, by: &tests::User| by.request(method, path).header("if-match", "*");
    assert_eq!(send(seen(Method::PUT, &post, &bob).json(&json!({"content": "hush!"}))).await.status, 200);
    assert_eq!(send(seen(Method::PUT, &post, &ada).json(&json!({"content": "ha"}))).await.status, 403);
    assert_eq!(send(seen(Method::DELETE, &post, &bob)).await.status, 204);
    assert_eq!(bob.delete(&member).await.status, 204);
    assert_eq!(send(seen(Method::PUT, &channel, &ada).json(&json!({"name": "Book"}))).await.status, 200);
    assert_eq!(send(seen(Method::DELETE, &channel, &ada)).await.status, 204);

    // Both registered; five times something happened to the channel, three times to the post.
    let told = reader.next(2 + 5 + 3).await;
    let own = format!("channel:{diary}");
    let of_channel: Vec<_> =
        ["channel.created", "member.added", "member.removed", "channel.updated", "channel.deleted"]
            .into_iter()
            .zip(1..)
            .map(|(kind, version)| (kind, version, own.clone()))
            .collect();
    let is_post = |event: &&Event| event.kind.starts_with("post.");
    let (posts, others): (Vec<_>, Vec<_>) = told.iter().partition(is_post);
    let short = |events: Vec<&Event>| -> Vec<(String, u64, String)> {
        let short = |event: &Event| (event.kind.clone(), event.version, event.audience.to_string());
        events.into_iter().filter(|event| event.source == "/discourse").map(short).collect()
    };
    let expected = |told: &[(&str, u64, String)]| -> Vec<(String, u64, String)> {
        told.iter().map(|(kind, version, audience)| ((*kind).to_owned(), *version, audience.clone())).collect()
    };
    assert_eq!(short(others), expected(&of_channel));
    let of_post = [("post.created", 1, own.clone()), ("post.updated", 2, own.clone()), ("post.deleted", 3, own)];
    assert_eq!(short(posts), expected(&of_post));
}

//! The feed: what happened, who is shown it, live, and what concerns one.

use std::time::Instant;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{Answer, User, Watching, eventually, send};

/// The subjects of a list, newest first.
fn subjects(list: &Answer) -> Vec<&str> {
    let activities = list.json["activities"].as_array().unwrap_or_else(|| panic!("{list:?}"));
    activities.iter().map(|activity| activity["subject"].as_str().unwrap()).collect()
}

async fn open(user: &User, kind: &str) -> Value {
    let opened = user.post("/discourse/channel", &json!({"name": "agora", "type": kind})).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    opened.json["id"].clone()
}

async fn post(user: &User, channel: &Value, content: &str) -> String {
    let posted = user.post("/discourse/post", &json!({"channelId": channel, "content": content})).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    posted.json["id"].to_string()
}

fn live(user: &User, query: &str) -> RequestBuilder {
    user.request(Method::GET, &format!("/activity/live?{query}"))
}

/// Waits until the feed shows that there were so many posts in all.
async fn shows_posts(user: &User, count: u64) {
    let posts = async || user.get("/activity?type=post.created").await.json["pagination"]["total"] == count;
    eventually("the feed shows them", posts).await;
}

#[tokio::test]
async fn what_is_done_is_shown_to_who_may_see_it() {
    let system = super::start().await;
    let (ada, bob, eve) = (system.user("ada").await, system.user("bob").await, system.user("eve").await);
    let mut watching = Watching::begin(live(&eve, "")).await;
    let (agora, diary) = (open(&ada, "public").await, open(&ada, "private").await);
    let secret = post(&ada, &diary, "secret").await;
    let said = post(&bob, &agora, "The market sets the price.").await;
    shows_posts(&eve, 1).await;

    let anybody = system.anybody();
    let list = anybody.get("/activity?type=post.created").await;
    assert_eq!(subjects(&list), [said.as_str()]);
    assert_eq!(list.json["activities"][0]["data"]["excerpt"], "The market sets the price.");
    let all = anybody.get("/activity?limit=100").await;
    assert!(!all.text.contains("secret"), "{}", all.text);

    // Live she is told the same.
    let mut events = watching.take(1).await;
    while events.last().unwrap().data["subject"] != said.as_str() || events.last().unwrap().kind != "post.created" {
        events.extend(watching.take(1).await);
    }
    assert!(!format!("{events:?}").contains("secret"));
    let numbers: Vec<_> = events.iter().map(tests::Event::number).collect();
    assert_eq!(numbers, (numbers[0]..numbers[0] + numbers.len() as u64).collect::<Vec<_>>(), "none is left out");

    // Her own she sees, and nobody else does, however often they ask.
    let hers = format!("/activity/user/{}?limit=100", ada.id);
    eventually("she is shown it", async || ada.get(&hers).await.text.contains("secret")).await;
    for _ in 0..2 {
        assert!(subjects(&ada.get(&hers).await).contains(&secret.as_str()));
        for other in [&eve, &bob, &anybody] {
            let seen = other.get(&hers).await;
            assert!(seen.status == 200 && !seen.text.contains("secret"), "{}", seen.text);
        }
    }
    let stats = anybody.get("/activity/stats").await;
    assert_eq!((&stats.json["totals"]["post.created"], stats.header("cache-control")), (&json!(1), "no-store"));
    assert!(stats.json["lagSeconds"].as_f64().is_some_and(|lag| lag < 20.0), "{stats:?}");
}

#[tokio::test]
async fn a_user_is_notified_of_what_concerns_them() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let agora = open(&ada, "public").await;
    post(&ada, &agora, "Mine.").await;
    for content in ["One.", "Two.", "Three."] {
        post(&bob, &agora, content).await;
    }
    let unread = async |count: u64| ada.get("/notifications").await.json["unread"] == count;
    eventually("she is notified of what others said", async || unread(3).await).await;
    let page = ada.get("/notifications?limit=2").await;
    assert_eq!((page.header("cache-control"), &page.json["pagination"]["total"]), ("no-store", &json!(3)));
    let newest = &page.json["notifications"][0];
    assert_eq!((&newest["number"], &newest["isRead"]), (&json!(3), &json!(false)));
    assert_eq!(newest["activity"]["data"]["excerpt"], "Three.");

    let read = ada.post("/notifications/read", &json!({"upTo": 2})).await;
    assert_eq!((read.status, &read.json), (200, &json!({"unread": 1})));
    assert!(unread(1).await, "she reads her own write");
    assert_eq!(ada.post("/notifications/read", &json!({"upTo": 1})).await.json, json!({"unread": 1}), "no way back");
    assert_eq!(ada.post("/notifications/read", &json!({})).await.json, json!({"unread": 0}));
    let refused = ada.post("/notifications/read", &json!({"upTo": -1})).await;
    assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["upTo"]));

    let item = ada.new_item().await;
    assert_eq!(bob.purchase(&item, None).await.status, 200);
    eventually("she is notified of the sale", async || unread(1).await).await;
    let sale = &ada.get("/notifications?limit=1").await.json["notifications"][0]["activity"];
    assert_eq!(
        (&sale["type"], &sale["subject"], &sale["data"]["buyerId"]),
        (&json!("item.sold"), &json!(item), &json!(bob.id))
    );

    assert_eq!(bob.get("/notifications").await.json["pagination"]["total"], 0);
    assert_eq!(system.anybody().get("/notifications").await.problem(), (401, "missing_token"));
}

#[tokio::test]
async fn lists_are_cached_until_something_happens() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let agora = open(&ada, "public").await;
    post(&ada, &agora, "One.").await;
    shows_posts(&ada, 1).await;
    let paths = ["/activity".to_owned(), format!("/activity/user/{}", ada.id)];
    for path in &paths {
        let hit = async || ada.get(path).await.header("x-cache") == "HIT";
        eventually("nothing happens any more", hit).await;
    }
    // The cache would keep it for a minute.
    let second = post(&ada, &agora, "Two.").await;
    for path in &paths {
        eventually("it is shown", async || subjects(&ada.get(path).await)[0] == second).await;
    }
    let refused = ada.get("/activity?type=money.moved&limit=0").await;
    assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["type", "limit"]));
    assert_eq!(ada.get("/activity/user/ada").await.fields(), ["id"]);
}

#[tokio::test]
async fn who_comes_back_is_told_each_event_once() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let agora = open(&ada, "public").await;
    let mut watching = Watching::begin(live(&ada, "type=post.created")).await;
    let (mut posted, mut seen) = (Vec::new(), Vec::new());
    for round in 0..4 {
        for number in 0..5 {
            posted.push(post(&ada, &agora, &format!("{round} {number}")).await);
        }
        seen.extend(watching.take(2).await);
        // The connection breaks, and more happens before it is there again.
        let last = watching.last_event_id.clone();
        drop(watching);
        posted.push(post(&ada, &agora, "meanwhile").await);
        watching = match round % 2 {
            0 => Watching::begin(live(&ada, &format!("type=post.created&lastEventId={last}"))).await,
            // The header is what the browser knows, and newer than the URL.
            _ => Watching::begin(live(&ada, "type=post.created&lastEventId=x:1").header("last-event-id", last)).await,
        };
    }
    seen.extend(watching.take(posted.len() - seen.len()).await);
    let (mut told, mut numbers): (Vec<_>, Vec<_>) =
        seen.iter().map(|event| (event.data["subject"].as_str().unwrap(), event.number())).unzip();
    // Of different posts the later one may be told first.
    told.sort_unstable();
    posted.sort_unstable();
    assert_eq!(told, posted);
    assert!(numbers.is_sorted(), "{numbers:?}");
    numbers.dedup();
    assert_eq!(numbers.len(), seen.len());
    assert!(seen.iter().all(|event| event.kind == "post.created" && event.data["type"] == "post.created"));
}

#[tokio::test]
async fn who_has_what_cannot_be_gone_on_from_begins_anew() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let agora = open(&ada, "public").await;
    post(&ada, &agora, "One.").await;
    shows_posts(&ada, 1).await;
    let list = ada.get_fresh("/activity").await;
    let newest = list.json["view"]["lastEventId"].as_str().unwrap();
    let (epoch, number) = newest.rsplit_once(':').unwrap();
    let ahead = format!("{epoch}:{}", number.parse::<u64>().unwrap() + 1);
    for unknown in ["nonsense", "5e9b3c1a-7d55-4c6b-9a1a-2f0f7b0a8f11:1", &ahead] {
        let mut watching = Watching::begin(live(&ada, &format!("lastEventId={unknown}"))).await;
        let reset = watching.next().await.unwrap();
        assert_eq!((reset.kind.as_str(), reset.id.as_str()), ("reset", newest), "{unknown}");
        assert_eq!(reset.data, json!({"lastEventId": newest}));
    }
    // And whoever has all is told what comes.
    let mut watching = Watching::begin(live(&ada, &format!("lastEventId={newest}"))).await;
    let second = post(&ada, &agora, "Two.").await;
    assert_eq!(watching.next().await.unwrap().data["subject"], second.as_str());
}

#[tokio::test]
async fn a_ticket_is_good_once() {
    let system = super::start().await;
    let (ada, anybody) = (system.user("ada").await, system.anybody());
    let got = ada.post("/activity/ticket", &json!({})).await;
    assert_eq!((got.status, &got.json["expiresIn"], got.header("cache-control")), (200, &json!(60), "no-store"));
    let query = format!("ticket={}", got.json["ticket"].as_str().unwrap());
    let mut watching = Watching::begin(live(&anybody, &format!("type=channel.created&{query}"))).await;
    let agora = open(&ada, "public").await;
    assert_eq!(watching.next().await.unwrap().data["subject"], agora.to_string());
    assert_eq!(send(live(&anybody, &query)).await.problem(), (401, "invalid_ticket"));
    let unknown = "ticket=5e9b3c1a-7d55-4c6b-9a1a-2f0f7b0a8f11";
    assert_eq!(send(live(&anybody, unknown)).await.problem(), (401, "invalid_ticket"));
    let wrong = send(live(&anybody, "ticket=x")).await;
    assert_eq!((wrong.problem(), wrong.fields()), ((400, "validation_failed"), vec!["ticket"]));
    assert_eq!(send(live(&anybody, "")).await.problem(), (401, "missing_token"));
    assert_eq!(anybody.post("/activity/ticket", &json!({})).await.problem(), (401, "missing_token"));
    let refused = send(live(&ada, "type=post.sung")).await;
    assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["type"]));

    // A ticket is no more than its token.
    let ticket = ada.post("/activity/ticket", &json!({})).await.json["ticket"].clone();
    assert_eq!(ada.post("/auth/logout", &json!({})).await.status, 204);
    let query = format!("ticket={}", ticket.as_str().unwrap());
    assert_eq!(send(live(&anybody, &query)).await.problem(), (401, "token_expired"));
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_no_other() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let begin = async |user| Watching::begin(live(user, "type=channel.created")).await;
    let (mut hers, mut his) = (begin(&ada).await, begin(&bob).await);
    assert_eq!(ada.post("/auth/logout", &json!({})).await.status, 204);
    hers.ended().await;
    let agora = open(&bob, "public").await;
    assert_eq!(his.next().await.unwrap().data["subject"], agora.to_string());
}

#[tokio::test]
async fn streams_are_bounded_and_take_no_place_of_calls() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let mut watching = Vec::new();
    for _ in 0..16 {
        watching.push(Watching::begin(live(&ada, "")).await);
    }
    let refused = send(live(&ada, "")).await;
    assert_eq!((refused.problem(), refused.header("retry-after")), ((429, "too_many_live"), "1"));
    Watching::begin(live(&bob, "")).await;
    watching.truncate(15);
    let fits = async || live(&ada, "").send().await.unwrap().status() == 200;
    eventually("a place is free again", fits).await;

    let system = crate::builder().live_at_once(0).start().await;
    let ada = system.user("ada").await;
    let mut watching = Vec::new();
    // More than she may have calls under way.
    for _ in 0..150 {
        watching.push(Watching::begin(live(&ada, "type=channel.created")).await);
    }
    let agora = open(&ada, "public").await;
    for stream in &mut watching {
        assert_eq!(stream.next().await.unwrap().data["subject"], agora.to_string());
    }
}

#[tokio::test]
async fn a_gateway_that_stops_ends_streams_at_once() {
    let mut system = super::start().await;
    let ada = system.user("ada").await;
    let mut watching = Watching::begin(live(&ada, "")).await;
    let began = Instant::now();
    system.gateway_mut().stop().await;
    watching.ended().await;
    // Calls in flight have 10 seconds.
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_the_feed_all_else_goes_on_and_streams_go_on_after_it() {
    let mut system = super::start().await;
    let ada = system.user("ada").await;
    let agora = open(&ada, "public").await;
    let mut watching = Watching::begin(live(&ada, "type=post.created")).await;
    let first = post(&ada, &agora, "One.").await;
    assert_eq!(watching.next().await.unwrap().data["subject"], first.as_str());
    for replica in system.replicas_mut("feed") {
        replica.kill().await;
    }
    let status = async || system.anybody().get("/status").await;
    eventually("the gateway knows", async || status().await.json["services"]["feed"]["status"] == "unhealthy").await;
    eventually("nothing is live", async || status().await.json["unavailable"] == json!(["feed"])).await;
    let degraded = status().await;
    assert_eq!((degraded.status, &degraded.json["status"]), (200, &json!("degraded")));
    assert_eq!((&degraded.json["feed"]["live"], &degraded.json["feed"]["log"]), (&json!(false), &json!("embedded")));
    let meanwhile = post(&ada, &agora, "Two.").await;
    assert_eq!(ada.get("/marketplace/list").await.status, 200);
    assert_eq!(ada.get("/activity").await.problem(), (503, "unavailable"), "and nothing old from the cache");
    // Whoever watches is told by the end.
    watching.ended().await;
    let last = watching.last_event_id.clone();
    assert_eq!(send(live(&ada, "")).await.problem(), (503, "unavailable"));
    for replica in system.replicas_mut("feed") {
        replica.revive();
    }
    system.all_up().await;
    let mut watching = Watching::begin(live(&ada, &format!("type=post.created&lastEventId={last}"))).await;
    assert_eq!(watching.next().await.unwrap().data["subject"], meanwhile.as_str());
}

//! Replicas on real ports, each with handles of its own on store and log, as processes have them: on the embedded ones, and
//! on Redis and RabbitMQ (`TEST_REDIS_URL`, `TEST_AMQP_URL`).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use events::{Audience, Data, Event, SharedLog, Topology, embedded};
use feed::store::{Store, embedded::Embedded};
use kernel::Clock;
use proto::{
    events::{ChannelCreated, PostCreated},
    feed::{self as pb, feed_client::FeedClient},
};
use runtime::identity::{Claims, Ended, SigningKeys, Verifier};
use storage::DataDir;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;
use uuid::Uuid;

const ADA: Uuid = Uuid::from_u128(0xada);
const BOB: Uuid = Uuid::from_u128(0xb0b);
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a test on each stack of each case.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod on_embedded { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Stack::Embedded).await;
            }
        )* }
        #[cfg(feature = "redis")]
        mod on_full { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Stack::Full).await;
            }
        )* }
    };
}

on_both! {
    what_is_told_is_served_by_every_replica_to_who_may_see_it,
    who_watches_sees_each_once_and_goes_on_elsewhere,
    when_who_applies_is_gone_another_goes_on,
    an_admin_has_the_views_made_anew,
}

/// What replicas stand on.
#[derive(Clone, Copy)]
enum Stack {
    Embedded,
    #[cfg(feature = "redis")]
    Full,
}

/// A log and views, and replicas on it.
struct Site {
    stack: Stack,
    directory: TempDir,
    /// Names what is this site's on servers.
    name: String,
    keys: SigningKeys,
    log: SharedLog,
    told: u64,
}

struct Replica {
    address: SocketAddr,
    client: FeedClient<Channel>,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Site {
    fn new(stack: Stack) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let keys = SigningKeys::load(&SigningKeys::generate().expect("a key")).expect("a key");
        let name = format!("feed-test-{}", Uuid::new_v4().simple());
        let log = log(stack, &directory, &name);
        Self { stack, log, directory, name, keys, told: 0 }
    }

    fn store(&self) -> Arc<dyn Store> {
        match self.stack {
            Stack::Embedded => {
                let data_dir = DataDir::open(self.directory.path(), true).expect("shared");
                Arc::new(Embedded::open(&data_dir).expect("opens"))
            }
            #[cfg(feature = "redis")]
            Stack::Full => {
                let prefix = format!("{}:", self.name);
                Arc::new(feed::store::redis::Redis::connect(&given("TEST_REDIS_URL"), &prefix).expect("a URL"))
            }
        }
    }

    /// One with handles of its own on everything, as a process has them.
    async fn replica(&self, name: &str) -> Replica {
        let verifier = Verifier::new(self.keys.jwks(), Clock::system(), Ended::default()).expect("keys");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, shutdown) = (listener.local_addr().expect("bound"), CancellationToken::new());
        let (store, log) = (self.store(), log(self.stack, &self.directory, &self.name));
        let serving = tokio::spawn(feed::serve(listener, name.to_owned(), store, log, verifier, shutdown.clone()));
        let channel = Endpoint::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
        Replica { address, client: FeedClient::new(channel), shutdown, serving }
    }

    /// As discourse's relay does.
    async fn tell<D: Data>(&mut self, subject: i64, audience: Audience, data: &D) {
        self.told += 1;
        let event = Event::new(subject, 1, audience, None, data).expect("allowed").stamped(self.told);
        self.log.publish(&[event]).await.expect("takes it");
    }

    async fn open(&mut self, channel: i64, kind: &str) {
        let audience = if kind == "private" { Audience::Channel(channel) } else { Audience::All };
        let (r#type, created_by) = (kind.to_owned(), ADA.to_string());
        let data = ChannelCreated { channel_id: channel, r#type, created_by, ..Default::default() };
        self.tell(channel, audience, &data).await;
    }

    async fn post(&mut self, post: i64, channel: i64, audience: Audience) {
        let data = PostCreated { post_id: post, channel_id: channel, author_id: BOB.to_string(), ..Default::default() };
        self.tell(post, audience, &data).await;
    }

    fn by<M>(&self, user: Uuid, roles: &[&str], message: M) -> Request<M> {
        let iat = Clock::system().unix_seconds();
        let claims: Claims = serde_json::from_value(serde_json::json!({
            "sub": user, "username": "somebody", "roles": roles, "jti": Uuid::new_v4(), "gen": 1, "iat": iat, "exp": iat + 3600,
        }))
        .expect("claims");
        let mut request = Request::new(message);
        let token = format!("Bearer {}", self.keys.sign(&claims).expect("signs"));
        request.metadata_mut().insert("authorization", token.parse().expect("ASCII"));
        request
    }
}

fn log(stack: Stack, directory: &TempDir, name: &str) -> SharedLog {
    let topology = Topology { name: name.to_owned(), ..Topology::capsim() };
    match stack {
        Stack::Embedded => {
            let data_dir = DataDir::open(directory.path(), true).expect("shared");
            Arc::new(embedded::Embedded::open(&data_dir, topology, embedded::Lease::default()).expect("opens"))
        }
        #[cfg(feature = "redis")]
        Stack::Full => {
            let broker = events::rabbitmq::RabbitMq::new(&given("TEST_AMQP_URL"), "feed-test", topology);
            Arc::new(broker.expect("a URL"))
        }
    }
}

#[cfg(feature = "redis")]
fn given(variable: &str) -> String {
    let missing = |_| panic!("{variable} is not set: `make test` starts a throw-away server and sets it");
    std::env::var(variable).unwrap_or_else(missing)
}

impl Replica {
    /// Its activity, once it serves.
    async fn activity(&self) -> pb::ListActivityResponse {
        let mut client = self.client.clone();
        eventually("the replica serves", async || {
            client.list_activity(pb::ListActivityRequest::default()).await.ok().map(|answer| answer.into_inner())
        })
        .await
    }

    /// The subjects of its activity, once the newest has this number.
    async fn shows(&self, number: u64) -> Vec<String> {
        eventually("the newest activity is there", async || {
            let answer = self.activity().await;
            let is_there = answer.view.as_ref().is_some_and(|view| view.number >= number);
            is_there.then(|| answer.activities.iter().map(|activity| activity.subject.clone()).collect())
        })
        .await
    }

    async fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.expect("asks");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("is answered");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().expect("a number")
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.expect("no panic").expect("ends well");
    }
}

async fn eventually<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("never: {what}"))
}

async fn what_is_told_is_served_by_every_replica_to_who_may_see_it(stack: Stack) {
    let mut site = Site::new(stack);
    let (one, two) = (site.replica("feed-1").await, site.replica("feed-2").await);
    site.open(1, "public").await;
    site.post(10, 1, Audience::All).await;
    site.open(2, "private").await;
    site.post(20, 2, Audience::Channel(2)).await;
    assert_eq!(one.shows(2).await, ["10", "1"]);
    assert_eq!(two.shows(2).await, ["10", "1"]);
    let mut client = two.client.clone();
    eventually("all is applied", async || {
        let view = two.activity().await.view.expect("a view");
        (view.position == 4 && view.sequences["/discourse"] == 4).then_some(())
    })
    .await;
    // A private post is its channel's owner's to see.
    let query = || pb::ListUserActivityRequest { user_id: BOB.to_string(), ..Default::default() };
    let subjects = |answer: pb::ListUserActivityResponse| {
        answer.activities.iter().map(|activity| (activity.subject.clone(), activity.is_public)).collect::<Vec<_>>()
    };
    let (public, private) = (("10".to_owned(), true), ("20".to_owned(), false));
    let hers = client.list_user_activity(site.by(ADA, &[], query())).await.expect("answers").into_inner();
    assert_eq!(subjects(hers), [private, public.clone()]);
    let others = client.list_user_activity(site.by(Uuid::new_v4(), &[], query())).await.expect("answers").into_inner();
    assert_eq!(subjects(others), std::slice::from_ref(&public));
    let strangers = client.list_user_activity(query()).await.expect("answers").into_inner();
    assert_eq!((subjects(strangers.clone()), strangers.pagination.expect("one").total), (vec![public], 1));
    // Both are news to her.
    let refused = client.list_notifications(pb::ListNotificationsRequest::default()).await.expect_err("of nobody");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let request = || site.by(ADA, &[], pb::ListNotificationsRequest { page: None, limit: Some(1) });
    let news = client.list_notifications(request()).await.expect("answers").into_inner();
    assert_eq!((news.unread, news.notifications.len(), news.pagination.expect("one").total), (2, 1, 2));
    let newest = &news.notifications[0];
    assert_eq!((newest.number, newest.is_read), (2, false));
    let mark = site.by(ADA, &[], pb::MarkReadRequest { up_to: Some(1) });
    assert_eq!(one.client.clone().mark_read(mark).await.expect("marks").into_inner().unread, 1);
    assert_eq!(client.list_notifications(request()).await.expect("answers").into_inner().unread, 1);
    let refused =
        client.list_activity(pb::ListActivityRequest { r#type: Some("money.moved".to_owned()), ..Default::default() });
    let refused = refused.await.expect_err("is never shown");
    assert_eq!(refused.get_error_details().bad_request().expect("says why").field_violations[0].field, "type");
    let stats = client.get_stats(pb::GetStatsRequest {}).await.expect("answers").into_inner();
    assert_eq!((stats.totals["post.created"], stats.last_day, stats.active_users), (1, 2, 2));
    for replica in [&one, &two] {
        eventually("its metrics say so", async || (replica.metric("feed_position").await >= 4.0).then_some(())).await;
        eventually("it is not behind", async || (replica.metric("feed_lag_seconds").await < 10.0).then_some(())).await;
    }
    one.stop().await;
    two.stop().await;
}

async fn who_watches_sees_each_once_and_goes_on_elsewhere(stack: Stack) {
    let mut site = Site::new(stack);
    let (one, two) = (site.replica("feed-1").await, site.replica("feed-2").await);
    site.open(1, "public").await;
    one.shows(1).await;
    let watch = async |replica: &Replica, epoch: &str, after| {
        let request = pb::WatchRequest { epoch: epoch.to_owned(), after };
        replica.client.clone().watch(request).await.expect("answers").into_inner()
    };
    let next = async |stream: &mut tonic::Streaming<pb::WatchResponse>| {
        let message = tokio::time::timeout(PATIENCE, stream.message()).await.expect("in time");
        message.expect("no error").expect("goes on")
    };
    let mut live = watch(&one, "", 0).await;
    let first = next(&mut live).await;
    let epoch = first.view.as_ref().expect("a view").epoch.clone();
    assert_eq!((first.reset, first.number, first.activities.len()), (false, 1, 0), "it begins with what comes");
    let mut seen = Vec::new();
    for post in 10..30 {
        site.post(post, 1, Audience::All).await;
    }
    while seen.len() < 20 {
        seen.extend(next(&mut live).await.activities.into_iter().map(|activity| activity.number));
    }
    assert_eq!(seen, (2..=21).collect::<Vec<_>>());
    drop(live);
    // Elsewhere, from the middle.
    let mut other = watch(&two, &epoch, 15).await;
    let mut seen = Vec::new();
    while seen.len() < 6 {
        seen.extend(next(&mut other).await.activities.into_iter().map(|activity| activity.number));
    }
    assert_eq!(seen, (16..=21).collect::<Vec<_>>());
    // What is of no use to go on from.
    for (from, after) in [(epoch.as_str(), 22), ("nonsense", 1), (&Uuid::new_v4().to_string(), 1)] {
        let answer = next(&mut watch(&two, from, after).await).await;
        assert_eq!((answer.reset, answer.number, answer.activities.len()), (true, 21, 0), "{from} {after}");
        assert_eq!(answer.view.expect("a view").epoch, epoch);
    }
    for post in 1000..1980 {
        site.post(post, 1, Audience::All).await;
    }
    one.shows(1001).await;
    for (after, is_too_old) in [(1, false), (0, true)] {
        let answer = next(&mut watch(&one, &epoch, after).await).await;
        assert_eq!((answer.reset, answer.activities.is_empty()), (is_too_old, is_too_old), "{after}");
    }
    // By parts.
    let mut after = 700;
    while after < 1001 {
        let request = pb::CatchUpRequest { epoch: epoch.clone(), after };
        let more = two.client.clone().catch_up(request).await.expect("answers").into_inner();
        let numbers: Vec<_> = more.activities.iter().map(|activity| activity.number).collect();
        assert_eq!((more.reset, numbers), (false, (after + 1..=more.number).collect::<Vec<_>>()));
        after = more.number;
    }
    let request = pb::CatchUpRequest { epoch: "nonsense".to_owned(), after };
    assert!(two.client.clone().catch_up(request).await.expect("answers").into_inner().reset);
    // What only some may see is no news, but the views are not what they were.
    let mut live = watch(&two, &epoch, after).await;
    let before = next(&mut live).await.view.expect("a view").position;
    site.open(2, "private").await;
    eventually("the views changed", async || {
        let message = next(&mut live).await;
        assert!(message.activities.is_empty());
        (message.view.expect("a view").position > before).then_some(())
    })
    .await;
    two.stop().await;
    let ended = tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = other.message().await {} }).await;
    assert!(ended.is_ok(), "a stream ends with its replica");
    one.stop().await;
}

async fn when_who_applies_is_gone_another_goes_on(stack: Stack) {
    let mut site = Site::new(stack);
    let one = site.replica("feed-1").await;
    site.open(1, "public").await;
    assert_eq!(one.shows(1).await, ["1"]);
    let two = site.replica("feed-2").await;
    two.shows(1).await;
    // As a crash: nothing is given up.
    one.serving.abort();
    site.post(10, 1, Audience::All).await;
    assert_eq!(two.shows(2).await, ["10", "1"]);
    let three = site.replica("feed-3").await;
    three.shows(2).await;
    two.stop().await;
    site.post(11, 1, Audience::All).await;
    assert_eq!(three.shows(3).await, ["11", "10", "1"]);
    assert_eq!(three.activity().await.view.expect("a view").position, 3);
    three.stop().await;
}

async fn an_admin_has_the_views_made_anew(stack: Stack) {
    let mut site = Site::new(stack);
    let replica = site.replica("feed-1").await;
    site.open(1, "public").await;
    for post in 10..20 {
        site.post(post, 1, Audience::All).await;
    }
    replica.shows(11).await;
    let before = replica.activity().await;
    let mut client = replica.client.clone();
    let refused = client.rebuild(site.by(ADA, &[], pb::RebuildRequest {})).await.expect_err("no admin");
    assert_eq!(refused.get_error_details().error_info().expect("says why").reason, "admins_only");
    client.rebuild(site.by(ADA, &["admin"], pb::RebuildRequest {})).await.expect("is asked for");
    eventually("they are made anew", async || {
        let stats = client.get_stats(pb::GetStatsRequest {}).await.expect("answers").into_inner();
        (!stats.is_rebuilding).then_some(())
    })
    .await;
    let after = replica.activity().await;
    assert_eq!(after.activities, before.activities);
    assert_eq!(after.view.expect("a view").epoch, before.view.expect("a view").epoch);
    site.post(20, 1, Audience::All).await;
    assert_eq!(replica.shows(12).await[0], "20", "and followed");
    replica.stop().await;
}

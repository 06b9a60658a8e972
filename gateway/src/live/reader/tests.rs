//! What a reader is told, and when it ends.

use futures_util::{FutureExt, StreamExt};
use kernel::Clock;
use proto::feed::{Activity, feed_client::FeedClient, feed_server};
use runtime::{
    identity::{Ended, News, SigningKeys, Verifier},
    metrics::Metrics,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use upstream::{Balancer, Checks};
use uuid::Uuid;

use super::*;
use crate::live::Tickets;

/// A gateway's, without a feed to ask, that has an empty window.
fn live() -> Arc<Live> {
    let shutdown = CancellationToken::new();
    let metrics = Metrics::new("gateway").expect("metrics");
    let checks = Checks::start(&TaskTracker::new(), &shutdown).expect("starts");
    let balancer = Balancer::new("feed", feed_server::SERVICE_NAME, &[], &metrics, &checks);
    let keys = SigningKeys::load(&SigningKeys::generate().expect("a key")).expect("reads");
    let verifier = Verifier::new(keys.jwks(), Clock::system(), Ended::default()).expect("keys");
    let live = Live::new(FeedClient::new(balancer), verifier, 16, Tickets::new(None), shutdown);
    live.windows.send_replace(Some(Arc::new(Window::beginning("e".into(), 0))));
    Arc::new(live)
}

fn claims() -> Arc<Claims> {
    let (sub, jti) = (Uuid::new_v4(), Uuid::new_v4());
    Arc::new(Claims { sub, username: "ada".to_owned(), roles: Vec::new(), jti, generation: 1, iat: 0, exp: i64::MAX })
}

/// One entry more.
fn happens(live: &Live, number: u64) {
    let time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
    let entry = Activity { number, time, data: "{}".to_owned(), is_public: true, ..Activity::default() };
    let before = live.windows.borrow().as_deref().cloned().expect("live");
    live.windows.send_replace(Some(Arc::new(before.with(Batch::of("e", vec![entry]), number))));
}

async fn open(live: &Arc<Live>, claims: Arc<Claims>) -> impl Stream<Item = String> {
    let reader = Reader::open(live, claims, None, None).await.expect("opens");
    let text = |bytes: Result<Bytes, _>| String::from_utf8(bytes.expect("never fails").to_vec()).expect("UTF-8");
    Box::pin(reader.into_stream().map(text))
}

#[test]
fn a_place_is_an_epoch_and_a_number_and_all_else_is_unknown() {
    let place = Place::parse(" 0199a7c4-8f21-7b3e-9d05-00000000e7e4:17");
    assert_eq!((place.epoch.as_str(), place.number), ("0199a7c4-8f21-7b3e-9d05-00000000e7e4", 17));
    for text in ["", "17", "e:", "e:-1", "e:18446744073709551616", "e:1:x"] {
        assert_eq!(Place::parse(text).epoch, "unknown", "{text}");
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_off_once_the_window_has_gone() {
    let live = live();
    let (mut slow, mut slower) = (open(&live, claims()).await, open(&live, claims()).await);
    for stream in [&mut slow, &mut slower] {
        assert_eq!(stream.next().await.as_deref(), Some(":\nid: e:0\n\n"));
    }
    for number in 1..=1000 {
        happens(&live, number);
    }
    let mut taken = 0;
    while let Some(Some(text)) = slow.next().now_or_never() {
        taken += text.matches("id: e:").count();
    }
    assert_eq!(taken, 1000, "it was behind, and is not any more");
    happens(&live, 1001);
    assert!(slow.next().await.is_some_and(|text| text.starts_with("id: e:1001\n")));
    assert_eq!(slower.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn with_nothing_to_say_it_says_so_and_where_it_is() {
    let live = live();
    let mut stream = open(&live, claims()).await;
    stream.next().await;
    happens(&live, 1);
    assert!(stream.next().await.is_some_and(|text| text.starts_with("id: e:1\n")));
    let before = Instant::now();
    assert_eq!(stream.next().await.as_deref(), Some(":\nid: e:1\n\n"));
    let quiet = before.elapsed();
    assert!(quiet >= HEARTBEAT && quiet < HEARTBEAT + LOOK, "{quiet:?}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_token_also_while_it_has_much_to_say() {
    let live = live();
    let (ada, bob) = (claims(), claims());
    let mut streams = [open(&live, Arc::clone(&ada)).await, open(&live, bob).await];
    for stream in &mut streams {
        stream.next().await;
    }
    live.verifier.ended().note(News { tokens: vec![(ada.jti, ada.exp)], ..News::default() }, 0);
    let [hers, his] = &mut streams;
    let ended = async {
        for number in 1.. {
            happens(&live, number);
            tokio::time::advance(Duration::from_millis(50)).await;
            assert!(his.next().await.is_some());
            if hers.next().await.is_none() {
                return number;
            }
        }
        0
    };
    assert!(ended.await <= 11, "within half a second");
    live.windows.send_replace(None);
    assert_eq!(his.next().await, None, "nothing is live");
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_an_hour_and_at_once_when_the_gateway_does() {
    let live = live();
    let began = Instant::now();
    let all = open(&live, claims()).await.collect::<Vec<_>>().await;
    let lived = began.elapsed();
    assert!(lived > AGE * 7 / 8 && lived < AGE + LOOK, "{lived:?}");
    assert!(all.len() > 200, "a comment each 15 seconds: {}", all.len());
    let mut stream = open(&live, claims()).await;
    stream.next().await;
    live.shutdown.cancel();
    assert_eq!(stream.next().now_or_never(), Some(None));
}

#[tokio::test]
async fn another_epoch_is_begun_anew() {
    let live = live();
    let mut stream = open(&live, claims()).await;
    stream.next().await;
    live.windows.send_replace(Some(Arc::new(Window::beginning("f".into(), 7))));
    let reset = "id: f:7\nevent: reset\ndata: {\"lastEventId\":\"f:7\"}\n\n";
    assert_eq!(stream.next().await.as_deref(), Some(reset));
}

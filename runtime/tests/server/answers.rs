//! Answers that nobody reads.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, body::Body, response::IntoResponse, routing::get};
use http::Request;
use runtime::server::{self, Endless, Limits, UNREAD_BYTES, UntilWritten};
use tokio::{net::TcpStream, time::timeout};

use crate::peer::{PATIENCE, Peer, Server, counted, eventually, serve, short};

/// Answers made, and answers that are made and not yet written.
#[derive(Clone, Default)]
struct Counts {
    made: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Counts {
    fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// A server whose every answer has so many bytes.
async fn answering(bytes: usize, limits: Limits) -> (Server, Counts) {
    let counts = Counts::default();
    let answer = async move |Extension(counts): Extension<Counts>| {
        counts.made.fetch_add(1, Ordering::SeqCst);
        counts.held.fetch_add(1, Ordering::SeqCst);
        let mut response = Body::from(vec![b'x'; bytes]).into_response();
        response.extensions_mut().insert(UntilWritten::new(Held(counts.held)));
        response
    };
    let app = Router::new().route("/", get(answer)).layer(Extension(counts.clone()));
    (serve(app, limits).await, counts)
}

/// More than the kernel's buffers take.
const HUGE: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn an_answer_is_held_until_it_is_written() {
    let (server, counts) = answering(HUGE, Limits::default()).await;
    let mut peer = Peer::narrow(&server).await;
    peer.get("/").await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(counts.held(), 1, "most of it is not read");
    let mut body = vec![0; HUGE];
    tokio::io::AsyncReadExt::read_exact(&mut peer.0, &mut body).await.unwrap();
    eventually("it is let go", async || counts.held() == 0).await;
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_its_answer_let_go() {
    let (server, counts) = answering(HUGE, short()).await;
    let mut peer = Peer::narrow(&server).await;
    peer.get("/").await;
    peer.head().await;
    eventually("it is let go", async || counts.held() == 0).await;
    let heard = peer.hear().await;
    assert!(heard.len() < HUGE, "it was cut off");
}

/// The kernel takes it all from us, and hyper has nothing more to write: to it, the connection is idle.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn what_the_kernel_holds_of_an_answer_is_given_up_as_well() {
    let app = Router::new().route("/", get(async || vec![b'x'; 256 * 1024]));
    let limits = Limits { progress: Duration::from_millis(400), ..Limits::default() };
    let (server, metrics) = counted(server::bind("127.0.0.1", 0).await.unwrap(), app, limits);
    let open = |connections| {
        let line = format!(r#"http_connections_active{{service="test"}} {connections}"#);
        metrics.render().unwrap().lines().any(|is| is == line)
    };
    let mut peer = Peer::narrow(&server).await;
    peer.get("/").await;
    peer.head().await;
    assert!(open(1));
    eventually("it is closed", async || open(0)).await;
}

#[tokio::test]
async fn who_reads_slowly_but_steadily_gets_it_all() {
    let (server, _) = answering(HUGE, Limits { progress: Duration::from_secs(2), ..short() }).await;
    let mut peer = Peer::narrow(&server).await;
    peer.get("/").await;
    let (_, body) = peer.answer().await;
    assert_eq!(body.len(), HUGE);
}

/// An HTTP/2 connection whose peer asks so many times and lets nothing come.
async fn deaf(server: &Server, requests: usize) -> (Vec<h2::client::ResponseFuture>, Task) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0).initial_max_send_streams(requests);
    let (client, connection) = builder.handshake::<_, bytes::Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..requests {
        let request = Request::get("http://test/").body(()).unwrap();
        answers.push(client.clone().ready().await.unwrap().send_request(request, true).unwrap().0);
    }
    (answers, connection)
}

type Task = tokio::task::JoinHandle<Result<(), h2::Error>>;

#[tokio::test]
async fn answers_of_one_http2_connection_that_wait_have_a_mebibyte_and_the_rest_waits_its_turn() {
    let largest_answer = UNREAD_BYTES / 4;
    let limits = Limits { progress: Duration::from_secs(2), largest_answer, ..short() };
    let (server, counts) = answering(largest_answer, limits).await;
    let (answers, connection) = deaf(&server, 100).await;
    eventually("four are made", async || counts.made() == 4).await;
    let _closed = timeout(PATIENCE, connection).await.expect("it is closed").unwrap();
    assert_eq!(counts.made(), 4, "no more while nothing was read");
    eventually("they are let go", async || counts.held() == 0).await;
    drop(answers);
}

#[tokio::test]
async fn small_answers_take_no_more_room_than_they_need() {
    let (server, counts) = answering(1000, Limits::default()).await;
    let (answers, _connection) = deaf(&server, 100).await;
    eventually("all are made", async || counts.made() == 100).await;
    drop(answers);
}

#[tokio::test]
async fn answers_without_end_keep_no_room_from_others() {
    let counts = Counts::default();
    let endless = async move |Extension(counts): Extension<Counts>| {
        counts.made.fetch_add(1, Ordering::SeqCst);
        let mut response =
            Body::from_stream(futures_util::stream::pending::<Result<&str, Infallible>>()).into_response();
        response.extensions_mut().insert(Endless);
        response
    };
    let app = Router::new().route("/", get(endless)).layer(Extension(counts.clone()));
    let server = serve(app, Limits::default()).await;
    let (answers, _connection) = deaf(&server, 100).await;
    let mut begun = Vec::new();
    for answer in answers {
        begun.push(timeout(PATIENCE, answer).await.expect("it begins").unwrap());
    }
    assert!(begun.iter().all(|answer| answer.status() == 200) && counts.made() == 100);
}

//! Connections: who may have one, and for how long.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use futures_util::future::join_all;
use http::{Request, StatusCode};
use runtime::server::Limits;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use crate::peer::{PATIENCE, Peer, Server, eventually, serve, serve_on, short};

fn app() -> Router {
    Router::new().route("/", get(async || "hello"))
}

/// What HTTP/2 begins with: the preface and empty SETTINGS.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn whoever_says_no_whole_request_in_time_is_closed() {
    let server = serve(app(), short()).await;
    let beginnings: [&[u8]; 6] =
        [b"", b"P", &HTTP2[..12], &HTTP2[..24], HTTP2, b"GET / HTTP/1.1\r\nhost: test\r\nx-slow: "];
    join_all(beginnings.map(async |beginning| {
        let mut peer = Peer::connect(&server).await;
        peer.say(beginning).await;
        let heard = peer.hear().await;
        assert!(!heard.contains("200"), "{beginning:?}: {heard}");
    }))
    .await;
}

#[tokio::test]
async fn who_asks_in_time_is_kept_until_idle() {
    let server = serve(app(), Limits { first_request: Duration::from_millis(300), ..Limits::default() }).await;
    let mut peer = Peer::connect(&server).await;
    for _ in 0..5 {
        peer.get("/").await;
        assert_eq!(peer.answer().await.1, b"hello");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let server = serve(app(), short()).await;
    let mut peer = Peer::connect(&server).await;
    peer.get("/").await;
    assert!(peer.hear().await.ends_with("hello"), "answered, and closed when idle");
}

async fn http2(server: &Server) -> (h2::client::SendRequest<bytes::Bytes>, Closed) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    (client, tokio::spawn(connection))
}

type Closed = tokio::task::JoinHandle<Result<(), h2::Error>>;

async fn ask(client: &mut h2::client::SendRequest<bytes::Bytes>) -> Result<StatusCode, h2::Error> {
    let request = Request::get("http://test/").body(()).unwrap();
    let (answer, _) = client.clone().ready().await?.send_request(request, true)?;
    Ok(answer.await?.status())
}

#[tokio::test]
async fn http2_without_a_request_is_told_to_go() {
    let server = serve(app(), short()).await;
    let (mut client, closed) = http2(&server).await;
    assert_eq!(ask(&mut client).await.unwrap(), 200);
    // Without an error: it was asked to go.
    timeout(PATIENCE, closed).await.expect("it goes").unwrap().unwrap();
}

#[tokio::test]
async fn http2_that_is_old_is_told_to_go_and_no_request_fails_by_it() {
    let places = Arc::new(Semaphore::new(0));
    let slow = Arc::clone(&places);
    let app = app().route(
        "/slow",
        get(async move || {
            let _ = slow.acquire().await;
            "done"
        }),
    );
    let limits = Limits { first_request: Duration::from_millis(200), age: Duration::from_millis(500), ..short() };
    let server = serve(app, limits).await;
    let (mut client, closed) = http2(&server).await;
    let request = Request::get("http://test/slow").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    // The connection goes as soon as new requests are refused; the one under way is answered.
    eventually("it takes no more", async || ask(&mut client).await.is_err()).await;
    places.close();
    assert_eq!(answer.await.unwrap().status(), 200);
    timeout(PATIENCE, closed).await.expect("it goes").unwrap().unwrap();
}

#[tokio::test]
async fn silent_peers_keep_nobody_out() {
    let limits = Limits { connections: 20, first_request: PATIENCE, ..Limits::default() };
    let server = serve(app(), limits).await;
    let silent = join_all((0..100).map(|_| Peer::connect(&server))).await;
    for _ in 0..5 {
        let mut peer = Peer::connect(&server).await;
        peer.get("/").await;
        assert_eq!(peer.answer().await.1, b"hello");
    }
    drop(silent);
}

#[tokio::test]
async fn one_connection_too_many_is_refused_in_words_and_the_next_gets_its_place() {
    let server = serve(app(), Limits { connections: 3, ..Limits::default() }).await;
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = Peer::connect(&server).await;
        peer.get("/").await;
        assert_eq!(peer.answer().await.1, b"hello");
        peers.push(peer);
    }
    let mut refused = Peer::connect(&server).await;
    refused.get("/").await;
    let heard = refused.hear().await;
    assert!(heard.starts_with("HTTP/1.1 503 ") && heard.contains("connection: close"), "{heard}");
    peers.pop();
    eventually("there is a place", async || {
        let mut peer = Peer::connect(&server).await;
        peer.get("/").await;
        peer.head().await.starts_with("HTTP/1.1 200 ")
    })
    .await;
}

/// Linux has all of 127.0.0.0/8, and it is all loopback: so the bound of an address is tried on one that is none.
async fn own_address() -> Option<std::net::IpAddr> {
    // No packet is sent: the kernel only says where it would come from.
    let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await.unwrap();
    socket.connect("192.0.2.1:9").await.ok()?;
    Some(socket.local_addr().unwrap().ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn loopback_speaks_for_many_and_another_address_for_itself() {
    let limits = Limits { connections_per_peer: 2, ..Limits::default() };
    let server = serve(app(), limits.clone()).await;
    let peers = join_all((0..5).map(|_| spoken(&server, None))).await;
    assert!(peers.iter().all(|(status, _)| *status == 200));

    let Some(own) = own_address().await else { return };
    let proxies = ["127.0.0.0/8".parse().unwrap()].into();
    let listener = tokio::net::TcpListener::bind((own, 0)).await.unwrap();
    let server = serve_on(listener, app(), Limits { proxies, ..limits.clone() });
    let mut kept = Vec::new();
    for expected in [200, 200, 503, 503] {
        let (status, peer) = spoken(&server, Some(own)).await;
        assert_eq!(status, expected);
        kept.push(peer);
    }
    let listener = tokio::net::TcpListener::bind((own, 0)).await.unwrap();
    let proxies = [ipnet::IpNet::from(own)].into();
    let server = serve_on(listener, app(), Limits { proxies, ..limits });
    let peers = join_all((0..5).map(|_| spoken(&server, Some(own)))).await;
    assert!(peers.iter().all(|(status, _)| *status == 200), "a proxy speaks for many");
}

/// A peer that has asked once, and the status of its answer.
async fn spoken(server: &Server, from: Option<std::net::IpAddr>) -> (u16, Peer) {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(from) = from {
        socket.bind((from, 0).into()).unwrap();
    }
    let mut peer = Peer(socket.connect(server.address).await.unwrap());
    peer.get("/").await;
    let (head, _) = peer.answer().await;
    (head[9..12].parse().unwrap(), peer)
}

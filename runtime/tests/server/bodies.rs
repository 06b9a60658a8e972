//! Requests that are answered before their bodies are there.

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::post};
use tokio::io::AsyncWriteExt;

use crate::peer::{Peer, serve};

async fn early() -> crate::peer::Server {
    let app = Router::new().route("/", post(async || (StatusCode::TOO_MANY_REQUESTS, "slow down")));
    serve(app, runtime::server::Limits::default()).await
}

#[tokio::test]
async fn what_is_left_of_a_small_body_is_read_and_the_connection_goes_on() {
    let server = early().await;
    let mut peer = Peer::connect(&server).await;
    for _ in 0..3 {
        peer.say("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 20000\r\n\r\n").await;
        for _ in 0..10 {
            peer.say("x".repeat(2000)).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (head, body) = peer.answer().await;
        assert!(head.starts_with("HTTP/1.1 429 ") && !head.contains("connection: close"), "{head}");
        assert_eq!(body, b"slow down");
    }
}

#[tokio::test]
async fn of_a_large_body_the_answer_says_that_it_closes_and_is_not_lost() {
    let server = early().await;
    for _ in 0..3 {
        let mut peer = Peer::connect(&server).await;
        peer.say("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 16000000\r\n\r\n").await;
        // All of it before it reads, as most clients do; more than the kernel takes.
        for _ in 0..160 {
            peer.0.write_all(&[b'x'; 100_000]).await.expect("it is not reset");
        }
        let heard = peer.hear().await;
        assert!(heard.starts_with("HTTP/1.1 429 ") && heard.contains("connection: close"), "{heard}");
        assert!(heard.ends_with("slow down"), "{heard}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = early().await;
    let mut peer = Peer::connect(&server).await;
    peer.say("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n").await;
    let (head, _) = peer.answer().await;
    assert!(head.contains("connection: close"), "{head}");
    let mut peer = Peer::connect(&server).await;
    peer.say("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n").await;
    let (head, _) = peer.answer().await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("connection: close"), "not asked to go on: {head}");
}

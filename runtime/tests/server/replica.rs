//! A replica's port: gRPC over HTTP/2 and nothing else, `/status` and `/metrics` over HTTP/1.1.

use std::convert::Infallible;

use kernel::{Clock, PoolState};
use runtime::{
    identity::{Ended, SigningKeys, Verifier},
    replica::Replica,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{service::RoutesBuilder, transport::Endpoint};
use tonic_health::pb::{FILE_DESCRIPTOR_SET, HealthCheckRequest, health_client::HealthClient, health_server};

use crate::peer::{Peer, Server};

async fn replica() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let pool = || PoolState { in_use: 0, idle: 0, max: 0 };
    let keys = SigningKeys::load(&SigningKeys::generate().unwrap()).unwrap();
    let verifier = Verifier::new(keys.jwks(), Clock::system(), Ended::default()).unwrap();
    let name = "test-1".to_owned();
    let replica = Replica::new("test", health_server::SERVICE_NAME, name, "memory", pool, verifier).await.unwrap();
    let ping = || std::future::ready(Ok::<(), Infallible>(()));
    let served = replica.serve(listener, RoutesBuilder::default(), FILE_DESCRIPTOR_SET, (ping, ping), shutdown.clone());
    tokio::spawn(served);
    Server::new(address, shutdown)
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_in_words_of_http() {
    let server = replica().await;
    let check = "POST /grpc.health.v1.Health/Check HTTP/1.1";
    let unknown = "POST /no.Such/Call HTTP/1.1";
    for (line, content_type, status) in [
        (check, "application/grpc", 505),
        (unknown, "application/grpc", 505),
        (check, "application/json", 415),
        (check, "application/grpc-web", 415),
        ("GET /grpc.health.v1.Health/Check HTTP/1.1", "application/grpc", 405),
        (unknown, "text/plain", 404),
        ("GET /status HTTP/1.1", "text/plain", 200),
    ] {
        let mut peer = Peer::connect(&server).await;
        peer.say(format!("{line}\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: 0\r\n\r\n")).await;
        let head = peer.head().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {content_type}: {head}");
    }
}

#[tokio::test]
async fn grpc_over_http2_is_answered() {
    let server = replica().await;
    let channel = Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect_lazy();
    let mut health = HealthClient::new(channel);
    health.check(HealthCheckRequest::default()).await.unwrap();
}

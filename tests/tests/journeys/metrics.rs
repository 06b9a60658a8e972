//! `/metrics`: labels stay few whatever clients send.

use std::{collections::BTreeSet, net::SocketAddr};

use reqwest::{Method, StatusCode};
use tests::send;
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// The values that a label has in `http_requests_total` of a process.
async fn labels(at: SocketAddr, label: &str) -> BTreeSet<String> {
    let text = reqwest::get(format!("http://{at}/metrics")).await.unwrap().text().await.unwrap();
    let requests = text.lines().filter(|line| line.starts_with("http_requests_total{"));
    let marker = format!("{label}=\"");
    requests
        .map(|line| {
            let (_, rest) = line.split_once(&marker).unwrap_or_else(|| panic!("{label} is not in {line}"));
            rest.split_once('"').unwrap().0.to_owned()
        })
        .collect()
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_methods_that_clients_make_up_are_one_label_value_each() {
    let system = super::start().await;
    let user = system.user("ada").await;
    for number in 0..50 {
        for path in [format!("/{number}"), format!("/marketplace/item/{number}/more"), format!("/docs/{number}")] {
            user.get(&path).await;
        }
        user.get(&format!("/marketplace/item/{number:024x}?n={number}")).await;
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        let answer = send(user.request(method, "/marketplace/list")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let paths = labels(system.gateway().address(), "path").await;
    let known = set(&[
        "/auth/login",
        "/auth/register",
        "/docs/{*rest}",
        "/marketplace/item/{id}",
        "/marketplace/list",
        "/metrics",
        "/status",
        "unmatched",
    ]);
    assert!(paths.is_subset(&known) && paths.contains("unmatched"), "{paths:?}");
    assert_eq!(labels(system.gateway().address(), "service").await, set(&["gateway"]));
    let methods = labels(system.gateway().address(), "method").await;
    assert!(methods.is_subset(&set(&["GET", "POST", "other"])) && methods.contains("other"), "{methods:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_methods_that_clients_make_up_are_one_label_value() {
    let system = super::start().await;
    let replica = system.replicas("marketplace")[0].address();
    let channel = Endpoint::from_shared(format!("http://{replica}")).unwrap().connect().await.unwrap();
    for number in 0..50 {
        for path in [
            format!("/capsim.marketplace.v1.Marketplace/Method{number}"),
            format!("/made.up.Service{number}/Method"),
            format!("/{number}"),
        ] {
            let mut client = Grpc::new(channel.clone());
            client.ready().await.unwrap();
            let path = PathAndQuery::try_from(path).unwrap();
            let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
            let refused = client.unary(Request::new(HealthCheckRequest::default()), path, codec).await.unwrap_err();
            assert_eq!(refused.code(), tonic::Code::Unimplemented);
        }
        reqwest::get(format!("http://{replica}/{number}")).await.unwrap();
    }
    let paths = labels(replica, "path").await;
    let known = set(&["/grpc.health.v1.Health/Check", "/metrics", "/status", "unmatched"]);
    assert!(paths.is_subset(&known) && paths.contains("unmatched"), "{paths:?}");
    assert_eq!(labels(replica, "service").await, set(&["marketplace"]));
}

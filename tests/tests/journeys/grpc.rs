//! A replica as grpcurl sees it: reflection, health, calls with metadata, and HTTP/1.1 on the same port.

use std::net::SocketAddr;

use lab::catalogue::SERVICES;
use proto::marketplace::{GetWalletRequest, ListItemsRequest, marketplace_client::MarketplaceClient};
use tests::{Stack, called_by};
use tokio_stream::StreamExt;
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

async fn connect(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn services(channel: Channel) -> Vec<String> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers =
        ServerReflectionClient::new(channel).server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else { panic!("{answer:?}") };
    list.service.into_iter().map(|service| service.name).collect()
}

#[tokio::test]
async fn every_replica_lists_its_services_and_says_it_is_healthy() {
    let system = super::start().await;
    for known in SERVICES {
        let service = known.grpc;
        for replica in system.replicas(known.name()) {
            let channel = connect(replica.address()).await;
            let mut names = services(channel.clone()).await;
            names.sort_unstable();
            assert_eq!(
                names,
                [
                    service,
                    "grpc.health.v1.Health",
                    "grpc.reflection.v1.ServerReflection",
                    "grpc.reflection.v1alpha.ServerReflection"
                ]
            );
            for name in ["", service] {
                let request = HealthCheckRequest { service: name.to_owned() };
                let answer = HealthClient::new(channel.clone()).check(request).await.unwrap();
                assert_eq!(answer.get_ref().status(), ServingStatus::Serving);
            }
        }
    }
}

#[tokio::test]
async fn reflection_serves_the_comments_of_the_contract() {
    let system = super::start().await;
    let symbol = "capsim.marketplace.v1.Marketplace".to_owned();
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol(symbol)),
    };
    let mut client = ServerReflectionClient::new(connect(system.replicas("marketplace")[0].address()).await);
    let answer = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answer.into_inner().next().await.unwrap().unwrap();
    let Some(MessageResponse::FileDescriptorResponse(files)) = answer.message_response else { panic!("{answer:?}") };
    let all = files.file_descriptor_proto.concat();
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("Of any number of concurrent buyers exactly one wins"));
}

#[tokio::test]
async fn the_caller_is_the_bearer_of_the_token() {
    let system = super::start().await;
    let mut client = MarketplaceClient::new(connect(system.replicas("marketplace")[1].address()).await);
    assert!(client.list_items(ListItemsRequest::default()).await.is_ok(), "reads need nobody");
    let refused = client.get_wallet(GetWalletRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "missing_token");

    let ada = system.stranger("ada");
    let wallet = client.get_wallet(called_by(&ada, GetWalletRequest {})).await.unwrap().into_inner();
    assert_eq!((wallet.user_id, wallet.balances.len()), (ada.id.clone(), 4), "the token that REST works with");

    let limit = ListItemsRequest { limit: Some(101), ..Default::default() };
    let refused = client.list_items(limit).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.get_error_details().bad_request().unwrap().field_violations[0].field, "limit");
}

#[tokio::test]
async fn status_and_metrics_are_on_the_same_port() {
    let system = super::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let backends = match system.stack {
        Stack::Embedded => ["embedded"; 3],
        Stack::Full => ["postgresql", "mongodb", "postgresql"],
    };
    for (service, backend) in ["accounts", "marketplace", "discourse"].into_iter().zip(backends) {
        let replica = &system.replicas(service)[2];
        let base = format!("http://{}", replica.address());
        let status = http.get(format!("{base}/status")).send().await.unwrap();
        assert_eq!(status.status(), 200);
        let status: serde_json::Value = status.json().await.unwrap();
        assert_eq!(status["instance"], format!("{service}-3"));
        assert_eq!((&status["status"], &status["backend"]), (&"healthy".into(), &backend.into()));
        let metrics = http.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains(&format!("service_up{{service=\"{service}\"}} 1")), "{metrics}");
        assert!(metrics.contains(r#"path="/grpc.health.v1.Health/Check""#), "{metrics}");
        let nowhere = http.get(format!("{base}/nowhere")).send().await.unwrap();
        assert_eq!(nowhere.status(), 404);
    }
}

#[tokio::test]
async fn the_ledger_says_it_is_balanced() {
    let system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    let item = ada.new_item().await;
    assert_eq!(bob.purchase(&item, None).await.status, 200);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    tests::eventually("one replica has the metric", async || {
        let mut texts = Vec::new();
        for replica in system.replicas("marketplace") {
            let metrics = http.get(format!("http://{}/metrics", replica.address())).send().await.unwrap();
            texts.push(metrics.text().await.unwrap());
        }
        texts.iter().filter(|text| text.contains("ledger_imbalance{")).count() == 1
            && ["USD", "EUR", "BTC", "GOLD"]
                .iter()
                .all(|c| texts.iter().any(|text| text.contains(&format!("ledger_imbalance{{currency=\"{c}\"}} 0\n"))))
    })
    .await;
}

//! One replica through its port: gRPC with a generated client, and HTTP/1.1.

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use events::{SharedLog, Start};
use kernel::Clock;
use marketplace::{Options, SERVICE, store::embedded::Embedded};
use proto::marketplace::{
    Category, CreateItemRequest, Currency, DepositRequest, GetItemRequest, GetWalletRequest, ItemStatus,
    ListItemsRequest, Money, PurchaseItemRequest, marketplace_client::MarketplaceClient,
};
use runtime::identity::{Claims, Ended, SigningKeys, Verifier};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;
use uuid::Uuid;

static KEYS: LazyLock<SigningKeys> =
    LazyLock::new(|| SigningKeys::load(&SigningKeys::generate().expect("key")).expect("reads"));

struct Replica {
    address: SocketAddr,
    channel: Channel,
    shutdown: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    log: SharedLog,
    _data: tempfile::TempDir,
}

impl Replica {
    async fn start() -> Self {
        let data = tempfile::tempdir().expect("directory");
        let data_dir = storage::DataDir::open(data.path(), false).expect("ours");
        let opening_balance = "USD:100,EUR:100,BTC:100,GOLD:100".parse().expect("amounts");
        let options = Options { opening_balance, ..Options::default() };
        let store = Embedded::open(&data_dir, &options).expect("opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("address");
        let shutdown = CancellationToken::new();
        let verifier = Verifier::new(KEYS.jwks(), Clock::system(), Ended::default()).expect("verifier");
        let publisher = events::options::Options::default().publisher("marketplace-7", || Ok(data_dir));
        let publisher = publisher.expect("a log");
        let (name, store, log) = ("marketplace-7".to_owned(), Arc::new(store), Arc::clone(&publisher.log));
        let serving = tokio::spawn(marketplace::serve(listener, name, store, publisher, verifier, shutdown.clone()));
        let channel = Channel::from_shared(format!("http://{address}")).expect("uri").connect_lazy();
        Self { address, channel, shutdown, serving, log, _data: data }
    }

    fn client(&self) -> MarketplaceClient<Channel> {
        MarketplaceClient::new(self.channel.clone())
    }

    /// What the health service says of `service`, as soon as it says `expected`; bounded.
    async fn health_becomes(&self, service: &str, expected: ServingStatus) {
        let mut health = HealthClient::new(self.channel.clone());
        let request = HealthCheckRequest { service: service.to_owned() };
        let mut statuses = health.watch(request).await.expect("watches").into_inner();
        let becomes = async {
            while let Some(answer) = statuses.message().await.expect("status") {
                if answer.status() == expected {
                    return;
                }
            }
            panic!("the health service said no more");
        };
        tokio::time::timeout(Duration::from_secs(10), becomes).await.expect("in time");
    }

    /// Status line, head and body of an HTTP/1.1 GET.
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        let request = format!("GET {path} HTTP/1.1\r\nhost: replica\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads");
        answer
    }
}

fn as_user<T>(id: &str, message: T) -> Request<T> {
    let (sub, jti, exp) = (id.parse().expect("UUID"), Uuid::new_v4(), i64::MAX);
    let claims = Claims { sub, username: "ada".to_owned(), roles: Vec::new(), jti, generation: 1, iat: 0, exp };
    let token = KEYS.sign(&claims).expect("signs");
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ascii"));
    request
}

fn traced<T>(trace: &str, mut request: Request<T>) -> Request<T> {
    request.metadata_mut().insert("traceparent", trace.parse().expect("ascii"));
    request
}

const ADA: &str = "6f2b1f4e-6f0e-4c8e-9a49-0c7c3d1f0a01";
const BOB: &str = "6f2b1f4e-6f0e-4c8e-9a49-0c7c3d1f0a02";

fn press() -> CreateItemRequest {
    CreateItemRequest {
        name: "Press".to_owned(),
        description: "Movable type".to_owned(),
        category: Category::Innovation.into(),
        price: Some(Money { currency: Currency::Eur.into(), minor_units: 1250 }),
        is_premium: false,
        tags: vec!["print".to_owned()],
        idempotency_key: None,
    }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().expect("error info").reason.clone()
}

#[tokio::test]
async fn an_item_is_listed_bought_and_shown() {
    let replica = Replica::start().await;
    let mut client = replica.client();
    let created = client.create_item(as_user(ADA, press())).await.expect("creates").into_inner().item.expect("item");
    assert_eq!((created.category(), created.status()), (Category::Innovation, ItemStatus::Available));

    let page = client.list_items(ListItemsRequest::default()).await.expect("lists").into_inner();
    assert_eq!(page.items, std::slice::from_ref(&created));
    assert_eq!(page.pagination.map(|p| (p.page, p.limit, p.total, p.pages)), Some((1, 20, 1, 1)));

    let order = PurchaseItemRequest { item_id: created.id.clone(), ..Default::default() };
    let sale = client.purchase_item(as_user(BOB, order)).await.expect("buys").into_inner();
    let shown = client.get_item(GetItemRequest { id: created.id }).await.expect("shows").into_inner();
    assert_eq!((shown.item, shown.transactions), (sale.item, vec![sale.transaction.expect("transaction")]));
    let seller = shown.seller.expect("seller");
    assert_eq!((seller.id.as_str(), seller.username.as_str()), (ADA, "ada"));
    assert_eq!((seller.active_listings, seller.completed_sales), (0, 1));
}

#[tokio::test]
async fn acts_arrive_in_the_log_in_the_trace_of_who_asked() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let replica = Replica::start().await;
    let mut replay = replica.log.replay(Start::First).await.expect("replays");
    let mut client = replica.client();
    let created = client.create_item(traced(TRACE, as_user(ADA, press()))).await.expect("creates").into_inner();
    let item_id = created.item.expect("item").id;
    let order =
        PurchaseItemRequest { item_id: item_id.clone(), idempotency_key: Some("key".to_owned()), ..Default::default() };
    for _ in 0..2 {
        client.purchase_item(traced(TRACE, as_user(BOB, order.clone()))).await.expect("buys");
    }
    let amount = Money { currency: Currency::Eur.into(), minor_units: 500 };
    let deposit = DepositRequest { amount: Some(amount), ..Default::default() };
    client.deposit(traced(TRACE, as_user(BOB, deposit))).await.expect("deposits");
    let wallet = traced(TRACE, as_user("6f2b1f4e-6f0e-4c8e-9a49-0c7c3d1f0a03", GetWalletRequest {}));
    client.get_wallet(wallet).await.expect("opens");
    let mut told = Vec::new();
    let read = async {
        while told.len() < 8 {
            told.extend(replay.next(100).await.expect("reads").into_iter().map(|entry| entry.event));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("they arrive");
    for event in &told {
        assert_eq!((event.source.as_str(), event.traceparent.as_deref()), ("/marketplace", Some(TRACE)));
    }
    assert!(told.iter().map(|event| event.sequence).eq((1..=8).map(Some)), "{told:?}");
    let of_item: Vec<_> = told.iter().filter(|event| event.subject == item_id).collect();
    let of_item: Vec<_> = of_item.iter().map(|event| (event.kind.as_str(), event.version)).collect();
    assert_eq!(of_item, [("item.listed", 1), ("item.sold", 2)]);
    let count = |kind| told.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count("money.deposited"), count("money.moved")), (1, 5));
}

#[tokio::test]
async fn a_first_look_opens_the_wallet() {
    let replica = Replica::start().await;
    let wallet = replica.client().get_wallet(as_user(ADA, GetWalletRequest {})).await.expect("wallet").into_inner();
    assert_eq!(wallet.user_id, ADA);
    let balances: Vec<_> = wallet.balances.iter().map(|b| (b.currency(), b.minor_units)).collect();
    let hundred_each = [
        (Currency::Usd, 10_000),
        (Currency::Eur, 10_000),
        (Currency::Btc, 10_000_000_000),
        (Currency::Gold, 1_000_000),
    ];
    assert_eq!(balances, hundred_each);
}

#[tokio::test]
async fn refusals_carry_their_code_and_reason() {
    let replica = Replica::start().await;
    let mut client = replica.client();
    let nobody = client.get_wallet(GetWalletRequest {}).await.expect_err("nobody");
    assert_eq!((nobody.code(), reason(&nobody).as_str()), (Code::Unauthenticated, "missing_token"));
    let nobody = client.create_item(press()).await.expect_err("nobody");
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let nobody = client.purchase_item(PurchaseItemRequest::default()).await.expect_err("nobody");
    assert_eq!(nobody.code(), Code::Unauthenticated);

    let missing = client.get_item(GetItemRequest { id: "a".repeat(24) }).await.expect_err("not there");
    assert_eq!((missing.code(), reason(&missing).as_str()), (Code::NotFound, "item_not_found"));

    let invalid = client.create_item(as_user(ADA, CreateItemRequest::default())).await.expect_err("empty");
    assert_eq!((invalid.code(), reason(&invalid).as_str()), (Code::InvalidArgument, "validation_failed"));
    let details = invalid.get_error_details();
    let fields = details.bad_request().expect("violations").field_violations.iter().map(|v| v.field.as_str());
    assert!(fields.eq(["name", "description", "category", "price"]));
}

#[tokio::test]
async fn the_service_is_healthy_and_found_by_reflection() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let replica = Replica::start().await;
    replica.health_becomes(SERVICE, ServingStatus::Serving).await;
    replica.health_becomes("", ServingStatus::Serving).await;

    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(replica.channel.clone());
    let requests = futures_util::stream::iter([request]);
    let mut answers = reflection.server_reflection_info(requests).await.expect("reflects").into_inner();
    let answer = answers.message().await.expect("answer").expect("one").message_response.expect("message");
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.iter().any(|name| name == SERVICE), "{names:?}");
    assert!(names.iter().any(|name| name == "grpc.health.v1.Health"), "{names:?}");
}

#[tokio::test]
async fn status_and_metrics_answer_over_http() {
    let replica = Replica::start().await;
    replica.health_becomes(SERVICE, ServingStatus::Serving).await;
    replica.client().list_items(ListItemsRequest::default()).await.expect("lists");

    let status = replica.get("/status").await;
    assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    for part in [r#""service":"marketplace""#, r#""instance":"marketplace-7""#, r#""backend":"embedded""#] {
        assert!(status.contains(part), "{status}");
    }

    let lines = [
        r#"ledger_imbalance{currency="USD"} 0"#,
        r#"ledger_imbalance{currency="EUR"} 0"#,
        r#"ledger_imbalance{currency="BTC"} 0"#,
        r#"ledger_imbalance{currency="GOLD"} 0"#,
        r#"path="/capsim.marketplace.v1.Marketplace/ListItems",service="marketplace",status="200"} 1"#,
    ];
    let all_there = async {
        // The ledger is added up beside the start of the server.
        loop {
            let metrics = replica.get("/metrics").await;
            if lines.iter().all(|line| metrics.contains(line)) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_there).await.expect("in time");

    let nowhere = replica.get("/nowhere").await;
    assert!(nowhere.starts_with("HTTP/1.1 404"), "{nowhere}");
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let replica = Replica::start().await;
    for path in ["/capsim.marketplace.v1.Marketplace/Steal", "/capsim.marketplace.v2.Marketplace/ListItems"] {
        let mut grpc = tonic::client::Grpc::new(replica.channel.clone());
        grpc.ready().await.expect("connects");
        let codec = tonic_prost::ProstCodec::<ListItemsRequest, ListItemsRequest>::default();
        let request = Request::new(ListItemsRequest::default());
        let answer = grpc.unary(request, path.parse().expect("path"), codec).await;
        assert_eq!(answer.expect_err("unknown").code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn a_replica_ends_on_shutdown_and_closes_its_port() {
    let replica = Replica::start().await;
    replica.health_becomes(SERVICE, ServingStatus::Serving).await;
    replica.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), replica.serving).await.expect("in time");
    ended.expect("no panic").expect("no error");
    TcpStream::connect(replica.address).await.expect_err("closed");
}

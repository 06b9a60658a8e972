//! Who calls is proven, never told; and what has ended, has ended everywhere.

use proto::{
    discourse::{GetChannelRequest, ListChannelsRequest, discourse_client::DiscourseClient},
    marketplace::{GetWalletRequest, PurchaseItemRequest, marketplace_client::MarketplaceClient},
};
use runtime::identity::{Claims, SigningKeys};
use serde_json::json;
use tests::{System, User, called_by, claims, eventually};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt;

async fn connect(server: &tests::Server) -> Channel {
    Channel::from_shared(format!("http://{}", server.address())).unwrap().connect().await.unwrap()
}

fn reason(status: &Status) -> (Code, String) {
    (status.code(), status.get_error_details().error_info().unwrap().reason.clone())
}

/// A call that says of itself to be `victim`'s, in every way that was ever believed.
fn told<T>(mut request: Request<T>, victim: &User) -> Request<T> {
    for (name, value) in [("x-user-id", victim.id.as_str()), ("x-user-name", "bob"), ("x-user-roles", "admin")] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request
}

#[tokio::test]
async fn whom_a_caller_says_to_be_counts_for_nothing() {
    let system = super::start().await;
    let (ada, bob, eve) = (system.user("ada").await, system.user("bob").await, system.user("eve").await);
    let item = ada.new_item().await;
    let created = ada.post("/discourse/channel", &json!({"name": "diary", "type": "private"})).await;
    let channel = GetChannelRequest { id: created.json["id"].as_i64().unwrap(), ..Default::default() };
    let order = PurchaseItemRequest { item_id: item.clone(), ..Default::default() };
    let nobody = system.anybody();

    for replica in system.replicas("marketplace") {
        let mut marketplace = MarketplaceClient::new(connect(replica).await);
        let refused = marketplace.purchase_item(told(called_by(&nobody, order.clone()), &bob)).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unauthenticated, "missing_token".to_owned()));
        let wallet = marketplace.get_wallet(told(called_by(&eve, GetWalletRequest {}), &bob)).await.unwrap();
        assert_eq!(wallet.into_inner().user_id, eve.id);
    }
    for replica in system.replicas("discourse") {
        let mut discourse = DiscourseClient::new(connect(replica).await);
        for caller in [&nobody, &eve] {
            let refused = discourse.get_channel(told(called_by(caller, channel), &ada)).await.unwrap_err();
            assert_eq!(reason(&refused), (Code::PermissionDenied, "channel_access_denied".to_owned()));
            let seen = discourse.list_channels(told(called_by(caller, ListChannelsRequest::default()), &ada)).await;
            assert_eq!(seen.unwrap().into_inner().channels, []);
        }
        discourse.get_channel(called_by(&ada, channel)).await.expect("it is hers");
    }
    let spoofed = eve.request(reqwest::Method::GET, "/marketplace/wallet").header("x-user-id", &bob.id);
    assert_eq!(tests::send(spoofed).await.json["userId"], eve.id);
    let page = bob.get(&format!("/marketplace/item/{item}")).await;
    assert_eq!(page.json["status"], "available", "nobody has bought it");
}

#[tokio::test]
async fn a_replica_takes_no_token_that_is_not_right() {
    let system = super::start().await;
    let stranger = SigningKeys::load(&SigningKeys::generate().unwrap()).unwrap();
    let said = claims("ada");
    let expired = tests::sign(&Claims { exp: said.iat - 2, ..said.clone() });
    let forged = stranger.sign(&said).unwrap();
    let mut marketplace = MarketplaceClient::new(connect(&system.replicas("marketplace")[0]).await);
    for (token, why) in [(&forged, "invalid_token"), (&expired, "token_expired"), (&"x".to_owned(), "invalid_token")] {
        let refused = marketplace.get_wallet(called_by(&system.bearer(token), GetWalletRequest {})).await.unwrap_err();
        assert_eq!(reason(&refused), (Code::Unauthenticated, why.to_owned()));
    }
    // Of two nobody knows which one is meant.
    let good = tests::sign(&said);
    let mut request = called_by(&system.bearer(&good), GetWalletRequest {});
    marketplace.get_wallet(called_by(&system.bearer(&good), GetWalletRequest {})).await.expect("it is good");
    request.metadata_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    let refused = marketplace.get_wallet(request).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::Unauthenticated, "invalid_token".to_owned()));
}

#[tokio::test]
async fn either_header_has_the_token_and_it_goes_on_to_the_replicas() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let token = ada.token.clone().unwrap();
    for (name, value) in [("x-auth-token", token.clone()), ("authorization", format!("bearer {token}"))] {
        let request = system.anybody().request(reqwest::Method::GET, "/marketplace/wallet").header(name, value);
        let wallet = tests::send(request).await;
        assert_eq!((wallet.status, &wallet.json["userId"]), (200, &json!(ada.id)), "{name}: {wallet:?}");
    }
}

/// What every gateway and every replica says to a user's token: `None` where it is good.
async fn verdicts(system: &System, gateways: &[User], user: &User) -> Vec<Option<String>> {
    let mut verdicts = Vec::new();
    for gateway in gateways {
        let answer = gateway.as_bearer_of(user).get("/auth/validate").await;
        verdicts.push((answer.status != 200).then(|| answer.problem().1.to_owned()));
    }
    for replica in system.replicas("marketplace") {
        let called = called_by(user, GetWalletRequest {});
        let called = MarketplaceClient::new(connect(replica).await).get_wallet(called).await;
        verdicts.push(called.err().map(|status| reason(&status).1));
    }
    for replica in system.replicas("discourse") {
        let called = called_by(user, ListChannelsRequest::default());
        let called = DiscourseClient::new(connect(replica).await).list_channels(called).await;
        verdicts.push(called.err().map(|status| reason(&status).1));
    }
    for replica in system.replicas("accounts") {
        let request = called_by(user, proto::accounts::GetProfileRequest::default());
        let mut accounts = proto::accounts::accounts_client::AccountsClient::new(connect(replica).await);
        verdicts.push(accounts.get_profile(request).await.err().map(|status| reason(&status).1));
    }
    verdicts
}

#[tokio::test]
async fn what_has_ended_is_refused_everywhere_and_stays_so_after_a_restart() {
    let mut system = super::start().await;
    let second = system.gateway().twin("gateway-2");
    let gateways = [system.anybody(), system.anybody().at(&second)];
    eventually("the second gateway is up", async || gateways[1].is_up().await).await;
    let (ada, bob, carol, dora) =
        (system.user("ada").await, system.user("bob").await, system.user("carol").await, system.user("dora").await);
    let admin = system.admin();
    let everybody = [&ada, &bob, &carol, &dora];
    for user in everybody {
        assert!(verdicts(&system, &gateways, user).await.iter().all(Option::is_none), "all are good at first");
    }
    // Each of the three at another gateway, and dora's stays.
    assert_eq!(ada.at(&second).post("/auth/logout", &json!({})).await.status, 204);
    let change = json!({"old": "correct horse", "new": "battery staple"});
    assert_eq!(bob.put("/auth/password", &change).await.status, 204);
    let carols = format!("/users/{}", carol.id);
    assert_eq!(admin.at(&second).put(&carols, &json!({"isActive": false})).await.status, 200);

    let ended = [&ada, &bob, &carol];
    let is_refused = async |system: &System, user: &User| {
        verdicts(system, &gateways, user).await.iter().all(|why| why.as_deref() == Some("token_expired"))
    };
    for user in ended {
        eventually("it is refused everywhere", async || is_refused(&system, user).await).await;
    }
    assert!(verdicts(&system, &gateways, &dora).await.iter().all(Option::is_none), "hers has not ended");

    for server in system.servers_mut() {
        server.stop().await;
        server.revive();
    }
    system.all_up().await;
    for user in ended {
        assert!(is_refused(&system, user).await, "it has ended for good");
    }
    assert!(verdicts(&system, &gateways, &dora).await.iter().all(Option::is_none), "hers is still good");
}

#[tokio::test]
async fn a_role_ends_with_the_tokens_that_say_so() {
    let system = super::start().await;
    let (ada, bob, admin) = (system.user("ada").await, system.user("bob").await, system.admin());
    for user in [&ada, &bob] {
        let granted = admin.put(&format!("/users/{}", user.id), &json!({"roles": ["admin"]})).await;
        assert_eq!(granted.status, 200, "{granted:?}");
    }
    let ada = system.logged_in(&json!({"username": "ada", "password": "correct horse"})).await;
    let bobs = format!("/users/{}", bob.id);
    assert_eq!(ada.put(&bobs, &json!({"bio": "By an admin."})).await.status, 200);
    let revoked = admin.put(&format!("/users/{}", ada.id), &json!({"roles": []})).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let gateways = [system.anybody()];
    eventually("it is refused", async || {
        verdicts(&system, &gateways, &ada).await.iter().all(|why| why.as_deref() == Some("token_expired"))
    })
    .await;
}

#[tokio::test]
async fn keys_turn_over_and_nobody_is_logged_out() {
    let (old, new) = (SigningKeys::generate().unwrap(), SigningKeys::generate().unwrap());
    let before = SigningKeys::load(&old).unwrap().sign(&claims("ada")).unwrap();
    let system = crate::builder().jwt_key(format!("{new}{old}")).start().await;
    let shown = system.anybody().get("/.well-known/jwks.json").await;
    assert!(shown.header("cache-control").starts_with("public"), "{shown:?}");
    let kids = [&new, &old].map(|key| SigningKeys::load(key).unwrap().jwks().keys[0].kid.clone());
    let keys = shown.json["keys"].as_array().unwrap();
    assert_eq!(keys.iter().map(|key| key["kid"].as_str().unwrap()).collect::<Vec<_>>(), kids);
    assert!(!shown.text.contains("\"d\""), "no private key is shown");

    let ada = system.user("ada").await;
    let head = jsonwebtoken::decode_header(ada.token.as_ref().unwrap()).unwrap();
    assert_eq!(head.kid.as_ref(), Some(&kids[0]), "the first one signs");
    for token in [&before, ada.token.as_ref().unwrap()] {
        let user = system.bearer(token);
        assert_eq!(user.get("/marketplace/wallet").await.status, 200);
        for replica in system.replicas("marketplace") {
            let mut marketplace = MarketplaceClient::new(connect(replica).await);
            marketplace.get_wallet(called_by(&user, GetWalletRequest {})).await.expect("both keys verify");
        }
    }
}

#[tokio::test]
async fn without_accounts_all_others_go_on_with_what_they_know_and_say_so() {
    let mut system = super::start().await;
    let (ada, bob) = (system.user("ada").await, system.user("bob").await);
    assert_eq!(bob.post("/auth/logout", &json!({})).await.status, 204);
    let gateways = [system.anybody()];
    let is_refused = async |system: &System| {
        let said = verdicts(system, &gateways, &bob).await;
        said.iter().all(|why| why.as_deref() == Some("token_expired"))
    };
    eventually("it is refused", async || is_refused(&system).await).await;
    for replica in system.replicas_mut("accounts") {
        replica.kill().await;
    }
    let degraded = async |server: &tests::Server| {
        let status = ada.at(server).get("/status").await;
        assert_eq!(status.status, 200, "{status:?}");
        status.json["status"] == "degraded"
    };
    for service in ["marketplace", "discourse"] {
        for replica in system.replicas(service) {
            eventually("it says that it may not know all", async || degraded(replica).await).await;
        }
    }
    eventually("the gateway says so", async || ada.get("/status").await.json["unavailable"] == json!(["ended_tokens"]))
        .await;
    let item = ada.new_item().await;
    assert_eq!(ada.get(&format!("/marketplace/item/{item}")).await.status, 200, "it goes on");
    assert_eq!(
        bob.get("/marketplace/wallet").await.problem(),
        (401, "token_expired"),
        "what is known is not forgotten"
    );
    let login = json!({"username": "ada", "password": "correct horse"});
    assert_eq!(system.anybody().post("/auth/login", &login).await.problem(), (503, "unavailable"));
    for replica in system.replicas_mut("accounts") {
        replica.revive();
    }
    system.all_up().await;
    assert_eq!(system.anybody().post("/auth/login", &login).await.status, 200);
}

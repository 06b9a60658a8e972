//! Registration, login, tokens.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use runtime::identity::{Claims, SigningKeys};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::{Answer, JWT_KEY, claims, sign};

#[tokio::test]
async fn of_racing_registrations_of_one_name_one_wins_also_in_another_case() {
    let system = super::start().await;
    let anybody = system.anybody();
    for round in 0..10 {
        let (lower, upper) = (format!("racer-{round}"), format!("RACER-{round}"));
        let names = [&lower, &upper, &lower, &upper];
        let bodies: Vec<_> = names.iter().map(|name| json!({"username": name, "password": "secret"})).collect();
        let answers = join_all(bodies.iter().map(|body| anybody.post("/auth/register", body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            assert_eq!((answer.problem(), answer.fields()), ((409, "username_taken"), vec!["username"]));
        }
        let login = anybody.post("/auth/login", &json!({"username": upper, "password": "secret"})).await;
        assert_eq!(login.status, 200, "names are found in any case");
    }
}

#[tokio::test]
async fn register_and_login_answer_as_described() {
    let system = super::start().await;
    let anybody = system.anybody();
    let credentials = json!({"username": "Ada.L-1_", "password": "pässwörd"});
    let user = anybody.post("/auth/register", &credentials).await;
    assert_eq!((user.status, &user.json["username"]), (201, &json!("Ada.L-1_")));
    assert_eq!(keys(&user.json), ["createdAt", "id", "username"]);

    let login = anybody.post("/auth/login", &credentials).await;
    assert_eq!(login.status, 200, "{login:?}");
    assert_eq!(keys(&login.json), ["access_token", "expires_in", "token", "token_type", "user_id", "username"]);
    assert_eq!((&login.json["token_type"], &login.json["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!((&login.json["user_id"], login.header("cache-control")), (&user.json["id"], "no-store"));

    for (username, password) in [("Ada.L-1_", "wrong password"), ("nobody", "pässwörd")] {
        let refused = anybody.post("/auth/login", &json!({"username": username, "password": password})).await;
        assert_eq!(refused.problem(), (401, "invalid_credentials"));
        assert_eq!(refused.json["detail"], "the username or the password is wrong", "both look the same");
    }
}

fn assert_refused(answer: &Answer, code: &str, challenge: &str) {
    assert_eq!(answer.problem(), (401, code), "{answer:?}");
    assert!(answer.header("www-authenticate").contains(challenge), "{answer:?}");
}

fn keys(json: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[tokio::test]
async fn a_token_that_is_not_right_is_401_with_its_reason() {
    let system = super::start().await;
    let (said, keys) = (claims("ada"), SigningKeys::load(&JWT_KEY).unwrap());
    let good = sign(&said);
    assert_eq!(system.bearer(&good).get("/marketplace/list").await.status, 200);

    let signed = |header: &Header, claims: &Value| {
        let body: String = JWT_KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let key = EncodingKey::from_ed_der(&BASE64_STANDARD.decode(body).unwrap());
        jsonwebtoken::encode(header, claims, &key).unwrap()
    };
    let kid = Some(keys.jwks().keys[0].kid.clone());
    let header = Header { kid: kid.clone(), ..Header::new(Algorithm::EdDSA) };
    let without = |claim: &str| {
        let mut claims = serde_json::to_value(&said).unwrap();
        claims.as_object_mut().unwrap().remove(claim);
        signed(&header, &claims)
    };
    let all = serde_json::to_value(&said).unwrap();
    assert_eq!(system.bearer(&signed(&header, &all)).get("/marketplace/list").await.status, 200);

    let (head, rest) = good.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", rest.split_once('.').unwrap().0);
    let stranger = SigningKeys::load(&SigningKeys::generate().unwrap()).unwrap();
    // The public key is no secret: it must not pass for one.
    let public = Hmac::<Sha256>::new_from_slice(keys.jwks().keys[0].x.as_bytes()).unwrap();
    let header_of_hmac = BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "kid": kid}).to_string());
    let with_public = format!("{header_of_hmac}.{}", rest.split_once('.').unwrap().0);
    let mac = public.chain_update(&with_public).finalize().into_bytes();
    let expired = sign(&Claims { exp: said.iat - 2, ..said.clone() });
    assert_refused(&system.bearer(&expired).get("/marketplace/list").await, "token_expired", "the token has expired");
    for token in [
        stranger.sign(&said).unwrap(),
        format!("{with_public}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac)),
        signed(&Header { crit: Some(vec!["exp".to_owned()]), ..header.clone() }, &all),
        signed(&Header { kid: None, ..header.clone() }, &all),
        signed(&header, &json!({"sub": "me", "username": "ada", "jti": said.jti, "gen": 1, "iat": 1, "exp": said.exp})),
        without("sub"),
        without("exp"),
        without("jti"),
        without("gen"),
        unsigned,
        format!("{head}.{rest}x"),
        "nonsense".to_owned(),
        String::new(),
    ] {
        assert_refused(&system.bearer(&token).get("/marketplace/list").await, "invalid_token", "invalid_token");
    }

    let missing = system.anybody().get("/discourse/channels").await;
    assert_eq!(missing.problem(), (401, "missing_token"));
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="capsim""#);
    let basic =
        system.anybody().request(reqwest::Method::GET, "/marketplace/wallet").header("authorization", "Basic YTpi");
    assert_eq!(tests::send(basic).await.problem(), (401, "invalid_token"));
}

#[tokio::test]
async fn every_business_route_needs_a_token() {
    let system = super::start().await;
    let anybody = system.anybody();
    for path in [
        "/marketplace/list",
        "/marketplace/item/0123456789abcdef01234567",
        "/marketplace/wallet",
        "/discourse/channels",
        "/discourse/channel/1",
        "/auth/validate",
        "/profile",
    ] {
        assert_eq!(anybody.get(path).await.problem(), (401, "missing_token"), "{path}");
    }
    for path in [
        "/marketplace/item",
        "/marketplace/purchase",
        "/discourse/channel",
        "/discourse/post",
        "/auth/logout",
        "/profile",
    ] {
        assert_eq!(anybody.post(path, &json!({})).await.problem(), (401, "missing_token"), "{path}");
    }
    for path in ["/auth/password", "/profile", "/users/00000000-0000-0000-0000-000000000000"] {
        assert_eq!(anybody.put(path, &json!({})).await.problem(), (401, "missing_token"), "{path}");
    }
    assert_eq!(anybody.delete("/profile").await.problem(), (401, "missing_token"));
}

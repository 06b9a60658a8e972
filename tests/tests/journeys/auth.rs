//! Registration, login, tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::JWT_SECRET;

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
    assert_eq!(keys(&login.json), ["expires_in", "token", "token_type", "user_id", "username"]);
    assert_eq!((&login.json["token_type"], &login.json["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!((&login.json["user_id"], login.header("cache-control")), (&user.json["id"], "no-store"));

    for (username, password) in [("Ada.L-1_", "wrong password"), ("nobody", "pässwörd")] {
        let refused = anybody.post("/auth/login", &json!({"username": username, "password": password})).await;
        assert_eq!(refused.problem(), (401, "invalid_credentials"));
        assert_eq!(refused.json["detail"], "the username or the password is wrong", "both look the same");
    }
}

fn keys(json: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_token_that_is_not_right_is_401_with_its_reason() {
    let system = super::start().await;
    let id = uuid::Uuid::new_v4();
    let claims = |exp: u64| json!({"sub": id, "username": "ada", "iat": now() - 10, "exp": exp});
    let good = sign(Algorithm::HS256, JWT_SECRET, &claims(now() + 60));
    assert_eq!(system.bearer(&good).get("/marketplace/list").await.status, 200);

    let (head, rest) = good.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", rest.split_once('.').unwrap().0);
    let tampered = format!("{head}.{rest}x");
    let header = Header { crit: Some(vec!["exp".to_owned()]), ..Header::default() };
    let critical =
        jsonwebtoken::encode(&header, &claims(now() + 60), &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap();
    for (token, code, challenge) in [
        (sign(Algorithm::HS256, JWT_SECRET, &claims(now() - 2)), "token_expired", "the token has expired"),
        (
            sign(Algorithm::HS256, "another secret of enough bytes.....", &claims(now() + 60)),
            "invalid_token",
            "invalid_token",
        ),
        (sign(Algorithm::HS512, JWT_SECRET, &claims(now() + 60)), "invalid_token", "invalid_token"),
        (
            sign(Algorithm::HS256, JWT_SECRET, &json!({"sub": id, "username": "ada", "iat": 1})),
            "invalid_token",
            "invalid_token",
        ),
        (
            sign(Algorithm::HS256, JWT_SECRET, &json!({"sub": "me", "username": "ada", "iat": 1, "exp": now() + 60})),
            "invalid_token",
            "invalid_token",
        ),
        (critical, "invalid_token", "invalid_token"),
        (unsigned, "invalid_token", "invalid_token"),
        (tampered, "invalid_token", "invalid_token"),
        ("nonsense".to_owned(), "invalid_token", "invalid_token"),
        (String::new(), "invalid_token", "invalid_token"),
    ] {
        let answer = system.bearer(&token).get("/marketplace/list").await;
        assert_eq!(answer.problem(), (401, code), "{token}");
        assert!(answer.header("www-authenticate").contains(challenge), "{answer:?}");
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
    ] {
        assert_eq!(anybody.get(path).await.problem(), (401, "missing_token"), "{path}");
    }
    for path in ["/marketplace/item", "/marketplace/purchase", "/discourse/channel", "/discourse/post"] {
        assert_eq!(anybody.post(path, &json!({})).await.problem(), (401, "missing_token"), "{path}");
    }
}

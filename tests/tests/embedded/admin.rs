//! The first admin, and who becomes one.

use std::{fs, path::Path, process::Command};

use lab::system::{READY_FILE, Settings};
use reqwest::Client;
use serde_json::{Value, json};
use tests::{JWT_KEY, binary, eventually};

use crate::process::{Process, free_ports};

/// What `capsim` says to these arguments, and whether it did it.
fn capsim(data_dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(binary("capsim")).args(arguments).arg("--data-dir").arg(data_dir).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// The token of whoever logs in.
async fn token(process: &Process, username: &str, password: &str) -> String {
    let login = json!({"username": username, "password": password});
    let answer =
        Client::new().post(format!("http://{}/auth/login", process.gateway)).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{username}");
    answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

/// The roles of whoever has a token.
async fn roles(process: &Process, token: &str) -> String {
    let request = Client::new().get(format!("http://{}/auth/validate", process.gateway)).bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.headers()["x-user-roles"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_admins_password_is_kept_and_those_who_have_the_data_make_others() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path());
    let password = fs::read_to_string(data.path().join("admin_password")).unwrap();
    assert_eq!(password.len(), 32);
    assert_eq!(roles(&process, &token(&process, "admin", &password).await).await, "admin");
    let ada = json!({"username": "ada", "password": "correct horse"});
    let url = format!("http://{}/auth/register", process.gateway);
    assert_eq!(Client::new().post(url).json(&ada).send().await.unwrap().status(), 201);
    let adas = token(&process, "ada", "correct horse").await;
    let (done, said) = capsim(data.path(), &["admin", "grant", "ada"]);
    assert!(!done && said.contains(&format!("process {}", process.child.id())), "{said}");
    process.kill();

    for (arguments, expected) in [
        (["admin", "grant", "ADA"], (true, "ADA is an admin from now on, and has to log in again")),
        (["admin", "grant", "ada"], (true, "ada is an admin\n")),
        (["admin", "revoke", "admin"], (true, "admin is no admin from now on")),
        (["admin", "revoke", "ada"], (false, "the last admin must stay one")),
        (["admin", "grant", "nobody"], (false, "there is no such user")),
    ] {
        let (done, said) = capsim(data.path(), &arguments);
        assert!(done == expected.0 && said.contains(expected.1), "{arguments:?}: {said}");
    }

    let process = Process::start(data.path());
    assert_eq!(roles(&process, &token(&process, "ada", "correct horse").await).await, "admin");
    assert_eq!(roles(&process, &token(&process, "admin", &password).await).await, "", "nobody makes her anew");
    let request = Client::new().get(format!("http://{}/auth/validate", process.gateway)).bearer_auth(adas);
    assert_eq!(request.send().await.unwrap().status(), 401, "what was said of her has ended");
}

#[tokio::test]
async fn a_password_for_the_first_admin_can_be_given() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::run(Command::new(binary("capsim")).env("ADMIN_PASSWORD", "battery staple"), data.path());
    assert_eq!(roles(&process, &token(&process, "admin", "battery staple").await).await, "admin");
    assert!(!data.path().join("admin_password").exists(), "what was given is not kept");
    process.kill();
    let bad = tempfile::tempdir().unwrap();
    let output = Command::new(binary("capsim"))
        .env("ADMIN_PASSWORD", "12345")
        .args(free_ports(1))
        .arg("--data-dir")
        .arg(bad.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("ADMIN_PASSWORD"), "{error}");
    assert!(error.contains("6 to 128") && !error.contains("12345"), "{error}");
}

#[test]
fn keys_are_made_that_a_gateway_and_a_replica_take() {
    let data = tempfile::tempdir().unwrap();
    let (done, printed) = capsim(data.path(), &["keys"]);
    assert!(done, "{printed}");
    let value = |name: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{printed}"));
        line.trim_matches(['\'', '"']).to_owned()
    };
    let (key, jwks) = (value("JWT_KEY="), value("JWKS="));
    let keys = runtime::identity::SigningKeys::load(&key).unwrap();
    assert_eq!(&runtime::identity::Jwks::load(&jwks).unwrap(), keys.jwks());
}

#[tokio::test]
async fn an_admin_has_the_feeds_views_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        lab::system::capsim(&Settings::new(&JWT_KEY), directory.path(), &[("ADMIN_PASSWORD", "battery staple")]);
    let ready = directory.path().join(READY_FILE);
    eventually("it serves", async || ready.exists()).await;
    let places: Value = serde_json::from_str(&fs::read_to_string(ready).unwrap()).unwrap();
    let url = |path: &str| format!("http://{}{path}", server.address());
    let token = async |path: &str, who: Value| {
        Client::new().post(url(path)).json(&who).send().await.unwrap().json::<Value>().await.unwrap()["token"].clone()
    };
    let ada = json!({"username": "ada", "password": "correct horse"});
    token("/auth/register", ada.clone()).await;
    let activity = async || Client::new().get(url("/activity")).send().await.unwrap().json::<Value>().await.unwrap();
    eventually("the feed shows both", async || activity().await["pagination"]["total"] == 2).await;
    let before = activity().await;

    let rebuild = |token: &Value, replica: &str| {
        let mut command = Command::new(binary("capsim"));
        command.args(["feed", "rebuild", "--replica", replica]).env("TOKEN", token.as_str().unwrap());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let replica = places["replicas"]["feed-2"].as_str().unwrap();
    let (done, said) = rebuild(&token("/auth/login", ada).await, replica);
    assert!(!done && said.contains("only admins may do this"), "{said}");
    let admin = token("/auth/login", json!({"username": "admin", "password": "battery staple"})).await;
    let (done, said) = rebuild(&admin, replica);
    assert!(done && said == "the views are made anew, from 2 events\n", "{said}");
    let after = activity().await;
    assert_eq!(
        (&after["activities"], &after["view"]["lastEventId"]),
        (&before["activities"], &before["view"]["lastEventId"])
    );
    let (done, said) = rebuild(&admin, "nowhere");
    assert!(!done && said.contains("host:port"), "{said}");
}

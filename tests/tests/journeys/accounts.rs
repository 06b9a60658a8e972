//! Accounts: profiles, who may see and change what, and what ends with a change.

use serde_json::{Value, json};
use tests::{Answer, System, User};
use uuid::Uuid;

/// What everybody may see of a user.
fn assert_public(user: &Value) {
    for field in ["email", "phone", "address", "roles", "isActive", "updatedAt"] {
        assert!(user.get(field).is_none(), "{field}: {user}");
    }
}

async fn log_in(system: &System, login: &Value) -> Answer {
    system.anybody().post("/auth/login", login).await
}

async fn logged_in(system: &System, username: &str) -> User {
    system.logged_in(&json!({"username": username, "password": "correct horse"})).await
}

#[tokio::test]
async fn a_profile_is_filled_in_shown_to_its_owner_and_erased() {
    let system = super::start().await;
    let (ada, anybody) = (system.user("ada").await, system.anybody());
    let public = format!("/users/{}", ada.id);
    let seen = anybody.get(&public).await;
    assert_eq!((seen.status, &seen.json["username"], &seen.json["id"]), (200, &json!("ada"), &json!(ada.id)));
    assert!(seen.json.get("bio").is_none(), "what is not there is left out: {seen:?}");

    let all = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "Ada@example.org", "phone": "+44 20 7946 0000",
        "address": "12 St James's Square, London", "bio": "Trades in engines."
    });
    let written = ada.put("/profile", &all).await;
    assert_eq!(written.status, 200, "{written:?}");
    for profile in [&written, &ada.get("/profile").await] {
        assert_eq!(profile.header("cache-control"), "no-store");
        for (field, value) in all.as_object().unwrap() {
            assert_eq!(&profile.json[field], value, "{profile:?}");
        }
        assert_eq!((&profile.json["roles"], &profile.json["isActive"]), (&json!([]), &json!(true)));
    }
    // It was in the cache without them.
    for _ in 0..2 {
        let seen = anybody.get(&public).await;
        assert_eq!((&seen.json["firstName"], &seen.json["bio"]), (&json!("Ada"), &json!("Trades in engines.")));
        assert_public(&seen.json);
    }
    let changed = ada.post("/profile", &json!({"bio": "", "phone": "none"})).await;
    assert_eq!(
        (changed.status, &changed.json["phone"], &changed.json["lastName"]),
        (200, &json!("none"), &json!("Lovelace"))
    );
    assert!(changed.json.get("bio").is_none(), "an empty text takes a field away: {changed:?}");
    assert_eq!(ada.put(&public, &json!({"bio": "Back."})).await.json["bio"], "Back.");

    assert_eq!(ada.delete("/profile").await.status, 204);
    let erased = ada.get("/profile").await;
    assert_eq!((erased.status, &erased.json["username"]), (200, &json!("ada")));
    for field in all.as_object().unwrap().keys() {
        assert!(erased.json.get(field).is_none(), "{field}: {erased:?}");
    }
    let login = log_in(&system, &json!({"email": "ada@example.org", "password": "correct horse"})).await;
    assert_eq!(login.problem(), (401, "invalid_credentials"), "the address is gone too");
}

#[tokio::test]
async fn one_logs_in_by_name_or_by_address_in_any_case() {
    let system = super::start().await;
    let anybody = system.anybody();
    let ada = json!({"username": "Ada", "password": "correct horse", "email": "ada@example.org"});
    let registered = anybody.post("/auth/register", &ada).await;
    assert_eq!(registered.status, 201, "{registered:?}");
    assert_public(&registered.json);
    for who in [json!({"username": "aDA"}), json!({"email": "ADA@Example.org"}), json!({"username": "ada@example.org"})]
    {
        let mut login = who.clone();
        login["password"] = json!("correct horse");
        let login = log_in(&system, &login).await;
        assert_eq!((login.status, &login.json["username"]), (200, &json!("Ada")), "{who}");
        assert_eq!(login.json["token"], login.json["access_token"]);
    }
    let nobody = log_in(&system, &json!({"password": "correct horse"})).await;
    assert_eq!((nobody.problem(), nobody.fields()), ((400, "validation_failed"), vec!["username"]));

    let taken = json!({"username": "eve", "password": "correct horse", "email": "ADA@example.org"});
    let taken = anybody.post("/auth/register", &taken).await;
    assert_eq!((taken.problem(), taken.fields()), ((409, "email_taken"), vec!["email"]));
    let bob = system.user("bob").await;
    let taken = bob.put("/profile", &json!({"email": "ada@EXAMPLE.org", "bio": "not kept"})).await;
    assert_eq!(taken.problem(), (409, "email_taken"));
    assert!(bob.get("/profile").await.json.get("bio").is_none(), "all or nothing");
    // An address that was let go is anybody's.
    let ada = logged_in(&system, "ada").await;
    assert_eq!(ada.put("/profile", &json!({"email": "ada@example.com"})).await.status, 200);
    assert_eq!(bob.put("/profile", &json!({"email": "ada@example.org"})).await.status, 200);
}

#[tokio::test]
async fn many_users_are_looked_up_at_once() {
    let system = super::start().await;
    let (ada, bob, anybody) = (system.user("ada").await, system.user("bob").await, system.anybody());
    let nobody = Uuid::new_v4();
    let answer = anybody.get(&format!("/users?ids={},{nobody},{}", bob.id, ada.id)).await;
    let names = |answer: &Answer| -> Vec<String> {
        let users = answer.json["users"].as_array().unwrap();
        users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&answer), ["bob", "ada"]);
    answer.json["users"].as_array().unwrap().iter().for_each(assert_public);
    assert_eq!(ada.put("/profile", &json!({"bio": "New."})).await.status, 200);
    let answer = anybody.get(&format!("/users?ids={},{nobody},{}", bob.id, ada.id)).await;
    assert_eq!(answer.json["users"][1]["bio"], "New.", "what was cached is not shown any more");

    let ids = |count: usize| vec![ada.id.as_str(); count].join(",");
    assert_eq!(names(&anybody.get(&format!("/users?ids={}", ids(100))).await), ["ada"]);
    for bad in [ids(101), String::new(), "ada".to_owned()] {
        let refused = anybody.get(&format!("/users?ids={bad}")).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["ids"]), "{bad}");
    }
    assert_eq!(anybody.get("/users").await.problem(), (400, "validation_failed"));
    assert_eq!(anybody.get(&format!("/users/{nobody}")).await.problem(), (404, "user_not_found"));
    assert_eq!(anybody.get("/users/ada").await.problem(), (400, "validation_failed"));
}

#[tokio::test]
async fn each_field_has_its_limit() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    for (field, most) in [("firstName", 100), ("lastName", 100), ("phone", 50), ("address", 500), ("bio", 2000)] {
        assert_eq!(ada.put("/profile", &json!({field: "ä".repeat(most)})).await.status, 200, "{field}");
        let refused = ada.put("/profile", &json!({field: "ä".repeat(most + 1)})).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec![field]));
    }
    let address = |length: usize| format!("{}@example.org", "x".repeat(length - 12));
    assert_eq!(ada.put("/profile", &json!({"email": address(254)})).await.status, 200);
    for bad in [address(255), "ada".to_owned()] {
        let refused = ada.put("/profile", &json!({"email": bad})).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["email"]));
    }
    let refused = system.admin().put(&format!("/users/{}", ada.id), &json!({"roles": ["king"]})).await;
    assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec!["roles"]));
}

#[tokio::test]
async fn one_changes_ones_own_and_an_admin_changes_all() {
    let system = super::start().await;
    let (ada, bob, admin) = (system.user("ada").await, system.user("bob").await, system.admin());
    let adas = format!("/users/{}", ada.id);
    assert_eq!(bob.put(&adas, &json!({"bio": "Owned."})).await.problem(), (403, "not_yours"));
    for change in [json!({"roles": ["admin"]}), json!({"isActive": false})] {
        assert_eq!(ada.put("/profile", &change).await.problem(), (403, "admins_only"));
        assert_eq!(bob.put(&adas, &change).await.problem(), (403, "not_yours"));
    }
    assert_eq!(admin.put(&adas, &json!({"bio": "Checked."})).await.json["bio"], "Checked.");
    let nobody = format!("/users/{}", Uuid::new_v4());
    assert_eq!(admin.put(&nobody, &json!({"bio": "?"})).await.problem(), (404, "user_not_found"));
    assert_eq!(ada.get("/profile").await.status, 200, "a biography ends no token");

    // Of all who are kept, she is the only one.
    assert_eq!(admin.put(&adas, &json!({"roles": ["admin"]})).await.json["roles"], json!(["admin"]));
    let ada = logged_in(&system, "ada").await;
    let valid = ada.get("/auth/validate").await;
    let said = ["x-user-id", "x-user-name", "x-user-roles"].map(|name| valid.header(name).to_owned());
    assert_eq!((valid.status, said), (200, [ada.id.clone(), "ada".to_owned(), "admin".to_owned()]));
    assert_eq!(ada.put("/profile", &json!({"roles": []})).await.problem(), (409, "last_admin"));
    assert_eq!(admin.put(&adas, &json!({"isActive": false})).await.problem(), (409, "last_admin"));
    let bobs = format!("/users/{}", bob.id);
    assert_eq!(ada.put(&bobs, &json!({"roles": ["admin"]})).await.status, 200);
    assert_eq!(ada.put("/profile", &json!({"roles": []})).await.status, 200, "there is another one");

    let bob = logged_in(&system, "bob").await;
    let deactivated = bob.put(&adas, &json!({"isActive": false})).await;
    assert_eq!((deactivated.status, &deactivated.json["isActive"]), (200, &json!(false)));
    let login = json!({"username": "ada", "password": "correct horse"});
    assert_eq!(log_in(&system, &login).await.problem(), (403, "account_deactivated"));
    let guess = json!({"username": "ada", "password": "wrong horse"});
    assert_eq!(log_in(&system, &guess).await.problem(), (401, "invalid_credentials"), "only its owner is told");
    assert_eq!(bob.put(&adas, &json!({"isActive": true})).await.status, 200);
    logged_in(&system, "ada").await;
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let system = super::start().await;
    let ada = system.user("ada").await;
    let change = async |old: &str, new: &str| ada.put("/auth/password", &json!({"old": old, "new": new})).await;
    assert_eq!(change("wrong horse", "battery staple").await.problem(), (401, "invalid_credentials"));
    for (old, new, field) in [("correct horse", "12345", "new"), ("", "battery staple", "old")] {
        let refused = change(old, new).await;
        assert_eq!((refused.problem(), refused.fields()), ((400, "validation_failed"), vec![field]));
    }
    assert_eq!(change("correct horse", "battery staple").await.status, 204);
    assert_eq!(ada.get("/profile").await.problem(), (401, "token_expired"), "at once at the gateway that was told");
    for (password, status) in [("correct horse", 401), ("battery staple", 200)] {
        assert_eq!(log_in(&system, &json!({"username": "ada", "password": password})).await.status, status);
    }
}

#[tokio::test]
async fn guesses_at_the_old_password_count_as_failed_logins() {
    let system = crate::builder().auth_rate_limit(1000).start().await;
    let ada = system.user("ada").await;
    let wrong = json!({"old": "wrong horse", "new": "battery staple"});
    for _ in 0..10 {
        assert_eq!(ada.put("/auth/password", &wrong).await.problem(), (401, "invalid_credentials"));
    }
    // She has logged in here before, and so has ten of her own.
    for _ in 0..10 {
        assert_eq!(ada.put("/auth/password", &wrong).await.problem(), (401, "invalid_credentials"));
    }
    assert_eq!(ada.put("/auth/password", &wrong).await.problem(), (429, "rate_limited"));
}

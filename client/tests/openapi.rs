//! The bodies, held against the description: each example there is read as ours and written again, and is the same.

use std::collections::HashSet;

use client::{Problem, body::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// The description, each operation under its id.
fn operations() -> (Value, Vec<(String, Value)>) {
    let api: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).expect("json");
    let paths = api["paths"].as_object().expect("paths").values();
    let operations = paths.flat_map(|path| path.as_object().expect("a path").values());
    let by_id = operations.filter_map(|o| Some((o["operationId"].as_str()?.to_owned(), o.clone())));
    let by_id = by_id.collect();
    (api, by_id)
}

fn same<T: DeserializeOwned + Serialize>(example: &Value, of: &str) {
    assert!(!example.is_null(), "{of} has no example");
    let ours: T = serde_json::from_str(&example.to_string()).unwrap_or_else(|error| panic!("{of}: {error}"));
    // By way of text: amounts are texts to us.
    let again = serde_json::to_string(&ours).expect("json");
    assert_eq!(&serde_json::from_str::<Value>(&again).expect("json"), example, "{of}");
}

fn example<'o>(operations: &'o [(String, Value)], id: &str, place: &str) -> &'o Value {
    let (_, operation) =
        operations.iter().find(|(name, _)| name == id).unwrap_or_else(|| panic!("{id} is no operation"));
    operation.pointer(&format!("{place}/content/application~1json/example")).unwrap_or(&Value::Null)
}

#[test]
fn bodies_are_those_of_the_description() {
    let (_, operations) = operations();
    let request = |id| example(&operations, id, "/requestBody");
    same::<Credentials>(request("register"), "register");
    same::<Credentials>(request("login"), "login");
    same::<NewItem>(request("create_item"), "create_item");
    same::<NewPurchase>(request("purchase_item"), "purchase_item");
    same::<NewDeposit>(request("make_deposit"), "make_deposit");
    same::<NewChannel>(request("create_channel"), "create_channel");
    same::<NewPost>(request("create_post"), "create_post");
    same::<ChannelChange>(request("update_channel"), "update_channel");
    same::<PostChange>(request("update_post"), "update_post");
    let answer = |id, status: u16| example(&operations, id, &format!("/responses/{status}"));
    same::<User>(answer("register", 201), "register");
    same::<Token>(answer("login", 200), "login");
    same::<ItemList>(answer("list_items", 200), "list_items");
    same::<Item>(answer("create_item", 201), "create_item");
    same::<Purchase>(answer("purchase_item", 200), "purchase_item");
    same::<WalletEntry>(answer("make_deposit", 201), "make_deposit");
    same::<Wallet>(answer("get_wallet", 200), "get_wallet");
    same::<ChannelList>(answer("list_channels", 200), "list_channels");
    same::<ChannelPage>(answer("get_channel", 200), "get_channel");
    same::<Channel>(answer("create_channel", 201), "create_channel");
    same::<Post>(answer("create_post", 201), "create_post");
    same::<Channel>(answer("update_channel", 200), "update_channel");
    same::<MemberList>(answer("list_members", 200), "list_members");
    same::<Member>(answer("get_member", 200), "get_member");
    same::<Member>(answer("add_member", 200), "add_member");
    same::<PostList>(answer("list_posts", 200), "list_posts");
    same::<Post>(answer("get_post", 200), "get_post");
    same::<Post>(answer("update_post", 200), "update_post");
    // Of these only a part is taken.
    let status = serde_json::from_value::<Status>(answer("status", 200).clone()).expect("a status");
    assert!(status.is_healthy());
    serde_json::from_str::<Item>(&answer("get_item", 200).to_string()).expect("an item");
}

#[test]
fn problems_are_those_of_the_description_and_their_codes_of_the_catalogue() {
    let (api, _) = operations();
    let examples = api["components"]["examples"].as_object().expect("examples");
    let known: HashSet<_> = proto::errors::ALL.iter().map(|code| code.as_str()).collect();
    for (code, example) in examples {
        same::<Problem>(&example["value"], code);
        assert!(known.contains(code.as_str()), "{code}");
    }
}

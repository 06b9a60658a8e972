//! What a store must do, on SQLite and on PostgreSQL (whose administrator's URL is `TEST_DATABASE_URL`).

use std::any::Any;

use events::Event;
use futures_util::future::join_all;
use kernel::{Caller, time};
use serde_json::{Value, json};
use storage::{
    lease::{TASKS, TERM},
    postgres::scratch::Database,
};

use super::*;
use crate::account::{Change, Role};

/// An empty store, and what must outlive it.
struct Fresh {
    store: Store,
    _keep: Box<dyn Any + Send>,
}

async fn embedded() -> Fresh {
    let directory = tempfile::tempdir().expect("directory");
    let data_dir = DataDir::open(directory.path(), false).expect("ours");
    Fresh { store: Store::embedded(&data_dir).expect("opens"), _keep: Box::new(directory) }
}

async fn postgres() -> Fresh {
    let database = Database::create().await;
    let store = Store(Sql::postgres(SERVICE, &database.url(), MIGRATIONS).expect("a URL"));
    store.check_read().await.expect("ready");
    Fresh { store, _keep: Box::new(database) }
}

/// Makes a test on each store of each case.
macro_rules! contract {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let fresh = super::embedded().await;
                super::$case(fresh.store.clone()).await
            }
        )* }
        mod on_postgresql { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                let fresh = super::postgres().await;
                super::$case(fresh.store.clone()).await
            }
        )* }
    };
}

contract! {
    an_account_is_found_by_name_and_address_in_any_case,
    of_racers_for_a_name_one_wins,
    an_address_belongs_to_one_and_can_be_let_go,
    many_are_read_at_once,
    of_racing_changes_one_wins_and_the_others_change_nothing,
    one_admin_stays_however_many_step_down_at_once,
    ends_are_told_from_a_moment_on,
    what_has_expired_is_swept,
    health_reads_what_it_writes,
    an_account_is_told_to_all_and_what_is_its_owners_to_its_owner,
    what_is_refused_is_not_told,
    of_racing_changes_the_one_that_is_kept_is_told,
}

fn draft(username: &str, email: &str, roles: &[Role]) -> Account {
    Account::new(username.to_owned(), email.to_owned(), "$hash".to_owned(), roles.to_vec(), time::now())
}

async fn kept(store: &Store, username: &str, email: &str, roles: &[Role]) -> Account {
    let account = draft(username, email, roles);
    store.create(account.clone(), None).await.expect("creates");
    account
}

fn admin() -> Caller {
    Caller { id: Uuid::new_v4(), name: "root".to_owned(), is_admin: true }
}

fn with(account: &Account, change: Change) -> Account {
    account.clone().changed(change, &admin(), time::now()).expect("an admin may")
}

fn with_email(account: &Account, email: &str) -> Account {
    with(account, Change { email: Some(email.to_owned()), ..Change::default() })
}

async fn one(store: &Store, id: Uuid) -> Account {
    store.get(vec![id]).await.expect("reads").pop().expect("there")
}

fn refused<T>(outcome: Result<T, Error>) -> Option<Refusal> {
    match outcome {
        Ok(_) => None,
        Err(Error::Refused(refusal)) => Some(refusal),
        Err(Error::Store(error)) => panic!("{error:?}"),
    }
}

/// All of it, as text: an account has no `Debug`.
fn shown(account: &Account) -> String {
    let Account {
        id,
        username,
        password_hash,
        roles,
        generation,
        raised_at,
        is_active,
        profile,
        created_at,
        updated_at,
        version,
    } = account;
    format!(
        "{id} {username} {password_hash} {roles:?} {generation} {raised_at:?} {is_active} {profile:?} {created_at} {updated_at} {version}"
    )
}

async fn an_account_is_found_by_name_and_address_in_any_case(store: Store) {
    let ada = kept(&store, "Ada", "Ada@Example.org", &[Role::Admin]).await;
    let full = with(
        &ada,
        Change {
            first_name: Some("Ada".to_owned()),
            last_name: Some("O'Lovelace; --".to_owned()),
            phone: Some("+44".to_owned()),
            address: Some("12 St James's Square\nLondon".to_owned()),
            bio: Some("🦀".to_owned()),
            ..Change::default()
        },
    );
    store.replace(ada, full.clone(), None).await.expect("replaces");
    for login in ["Ada", "ADA", "ada@example.ORG"] {
        let found = store.find(login.to_owned()).await.expect("finds").expect("there");
        assert_eq!(shown(&found), shown(&full), "{login}");
    }
    for nobody in ["", "ad", "ada%", "Ada@Example.org ", "bob"] {
        assert!(store.find(nobody.to_owned()).await.expect("finds").is_none(), "{nobody}");
    }
}

async fn of_racers_for_a_name_one_wins(store: Store) {
    for round in 0..5 {
        let names =
            (0..8).map(|racer| if racer % 2 == 0 { format!("racer-{round}") } else { format!("RACER-{round}") });
        let racers: Vec<_> = names.map(|name| draft(&name, "", &[])).collect();
        let outcomes = join_all(racers.iter().map(|racer| store.create(racer.clone(), None))).await;
        let winners: Vec<_> = racers.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).collect();
        let [(winner, _)] = &winners[..] else { panic!("{} winners", winners.len()) };
        let found = store.find(format!("racer-{round}")).await.expect("finds").expect("there");
        assert_eq!(shown(&found), shown(winner));
    }
    let refusal = refused(store.create(draft("RACER-0", "", &[]), None).await);
    assert_eq!(refusal, Some(Refusal::UsernameTaken));
}

async fn an_address_belongs_to_one_and_can_be_let_go(store: Store) {
    let ada = kept(&store, "ada", "ada@example.org", &[]).await;
    let bob = kept(&store, "bob", "", &[]).await;
    let eve = draft("eve", "ADA@example.org", &[]);
    assert_eq!(refused(store.create(eve, None).await), Some(Refusal::EmailTaken));
    assert!(store.find("eve".to_owned()).await.expect("finds").is_none(), "nothing of it is kept");
    assert_eq!(
        refused(store.replace(bob.clone(), with_email(&bob, "Ada@example.org"), None).await),
        Some(Refusal::EmailTaken)
    );
    assert_eq!(shown(&one(&store, bob.id).await), shown(&bob));
    // In another case it is still hers, and the same.
    let louder = with_email(&ada, "ADA@EXAMPLE.ORG");
    store.replace(ada, louder.clone(), None).await.expect("replaces");
    let moved = with_email(&louder, "ada@example.com");
    store.replace(louder, moved.clone(), None).await.expect("replaces");
    assert!(store.find("ada@example.org".to_owned()).await.expect("finds").is_none());
    let heir = with_email(&bob, "ada@example.org");
    store.replace(bob, heir, None).await.expect("it is free");
    store.replace(moved.clone(), moved.erased(time::now()), None).await.expect("erases");
    assert!(store.find("ada@example.com".to_owned()).await.expect("finds").is_none());
    assert!(store.find("ada".to_owned()).await.expect("finds").is_some(), "the name stays");
}

async fn many_are_read_at_once(store: Store) {
    let (ada, bob) = (kept(&store, "ada", "", &[]).await, kept(&store, "bob", "", &[]).await);
    let mut names: Vec<_> = store
        .get(vec![bob.id, Uuid::new_v4(), ada.id])
        .await
        .expect("reads")
        .into_iter()
        .map(|account| account.username)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["ada", "bob"]);
    assert!(store.get(Vec::new()).await.expect("reads").is_empty());
}

async fn of_racing_changes_one_wins_and_the_others_change_nothing(store: Store) {
    let ada = kept(&store, "ada", "", &[]).await;
    let changed: Vec<_> = (0..8).map(|racer| with_email(&ada, &format!("ada-{racer}@example.org"))).collect();
    let outcomes = join_all(changed.iter().map(|after| store.replace(ada.clone(), after.clone(), None))).await;
    let (won, lost): (Vec<_>, Vec<_>) = changed.iter().zip(outcomes).partition(|(_, outcome)| outcome.is_ok());
    assert_eq!(won.len(), 1);
    assert_eq!(shown(&one(&store, ada.id).await), shown(won[0].0));
    for (after, outcome) in lost {
        assert_eq!(refused(outcome), Some(Refusal::Changed));
        assert!(store.find(after.profile.email.clone()).await.expect("finds").is_none(), "its address is free");
    }
}

async fn one_admin_stays_however_many_step_down_at_once(store: Store) {
    assert!(!store.has_admin().await.expect("reads"));
    kept(&store, "madam", "administrator@example.org", &[]).await;
    assert!(!store.has_admin().await.expect("reads"));
    let mut admins = Vec::new();
    for number in 0..4 {
        admins.push(kept(&store, &format!("root-{number}"), "", &[Role::Admin]).await);
    }
    assert!(store.has_admin().await.expect("reads"));
    let step_down = |(number, account): (usize, &Account)| {
        // By the role, or by the account.
        let after = match number % 2 {
            0 => with(account, Change { roles: Some(Vec::new()), ..Change::default() }),
            _ => with(account, Change { is_active: Some(false), ..Change::default() }),
        };
        store.replace(account.clone(), after, None)
    };
    let outcomes = join_all(admins.iter().enumerate().map(step_down)).await;
    let refusals: Vec<_> = outcomes.into_iter().filter_map(refused).collect();
    assert_eq!(refusals, [Refusal::LastAdmin]);
    assert!(store.has_admin().await.expect("reads"));
}

async fn ends_are_told_from_a_moment_on(store: Store) {
    let ended = async |since| {
        let Ended { mut tokens, generations } = store.ended_since(since).await.expect("reads");
        tokens.sort_unstable();
        (tokens, generations)
    };
    let ada = kept(&store, "ada", "", &[]).await;
    assert_eq!(ended(0).await, (vec![], vec![]), "a new account ends nothing");
    store.end_token("a".to_owned(), 100, 10).await.expect("ends");
    store.end_token("b".to_owned(), 200, 20).await.expect("ends");
    store.end_token("a".to_owned(), 100, 30).await.expect("once more, it is the same");
    let (a, b) = (("a".to_owned(), 100), ("b".to_owned(), 200));
    assert_eq!(ended(0).await.0, [a, b.clone()]);
    assert_eq!(ended(20).await.0, [b]);
    assert_eq!(ended(21).await.0, []);

    let at = time::now();
    store.replace(ada.clone(), ada.clone().with_password("$new".to_owned(), at), None).await.expect("replaces");
    let generation = vec![(ada.id.to_string(), 2)];
    assert_eq!(ended(at.timestamp_micros()).await.1, generation);
    assert_eq!(ended(at.timestamp_micros() + 1).await.1, []);
    let again = one(&store, ada.id).await;
    store.replace(again.clone(), with_email(&again, "ada@example.org"), None).await.expect("replaces");
    assert_eq!(ended(0).await.1, generation, "it is told on");
}

async fn what_has_expired_is_swept(store: Store) {
    for (id, expires_at) in [("a", 100), ("b", 101), ("c", 102)] {
        store.end_token(id.to_owned(), expires_at, 1).await.expect("ends");
    }
    assert_eq!(store.sweep(102, 1).await.expect("sweeps"), 1);
    assert_eq!(store.ended_since(0).await.expect("reads").tokens.len(), 2);
    assert_eq!(store.sweep(102, 10).await.expect("sweeps"), 1);
    assert_eq!(
        store.ended_since(0).await.expect("reads").tokens,
        [("c".to_owned(), 102)],
        "at its last second it counts"
    );
}

async fn health_reads_what_it_writes(store: Store) {
    store.check_read().await.expect("reads");
    for replica in ["accounts-1", "accounts-2", "accounts-1"] {
        store.check_write(replica).await.expect("writes");
    }
    store.check_read().await.expect("reads");
}

/// All that is told and was not before, as JSON, in the order of its numbers.
async fn told(store: &Store) -> Vec<Value> {
    let (leases, outbox) = (store.leases(), store.outbox());
    let token = leases.acquire(TASKS, "test", TERM).await.expect("answers").expect("it is free");
    outbox.stamp(token, 500).await.expect("stamps");
    let stamped = outbox.unsent(500).await.expect("reads");
    if let Some(last) = stamped.last() {
        outbox.sent(token, last.sequence).await.expect("notes");
    }
    leases.release(TASKS, token).await.expect("answers");
    let json = |stamped: storage::outbox::Stamped| {
        let event = Event::from_json(stamped.message.body.as_bytes()).expect("an event");
        assert_eq!(
            (stamped.message.subject, stamped.message.version as u64, stamped.message.kind),
            (event.subject, event.version, event.kind)
        );
        serde_json::from_str(&stamped.message.body).expect("JSON")
    };
    stamped.into_iter().map(json).collect()
}

async fn an_account_is_told_to_all_and_what_is_its_owners_to_its_owner(store: Store) {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let trace = || Some(TRACE.to_owned());
    let ada = draft("Ada", "ada@example.org", &[Role::Admin]);
    let mut kept = vec![ada.clone()];
    store.create(ada.clone(), trace()).await.expect("creates");
    let change = |account: &Account, change: Change| with(account, change);
    let text = |text: &str| Some(text.to_owned());
    let mut replace = async |after: Account| {
        let before = kept.last().expect("there").clone();
        store.replace(before, after.clone(), trace()).await.expect("replaces");
        kept.push(after.clone());
        after
    };
    let private = Change { email: text("a@b"), phone: text("+44"), address: text("London"), ..Change::default() };
    let own = replace(change(&ada, private)).await;
    let shown =
        Change { first_name: text("Ada"), bio: Some("🦀".repeat(201)), phone: text("+45"), ..Change::default() };
    let shown = replace(change(&own, shown)).await;
    let secret = replace(shown.clone().with_password("$new".to_owned(), time::now())).await;
    let role = Change { roles: Some(vec![]), is_active: Some(true), ..Change::default() };
    kept_admin(&store).await;
    let role = replace(change(&secret, role)).await;
    let erased = replace(role.clone().erased(time::now())).await;
    assert_eq!(erased.version, 6);
    assert_eq!(one(&store, ada.id).await.version, 6, "it is kept");

    let told: Vec<_> = told(&store).await.into_iter().filter(|event| event["subject"] == json!(ada.id)).collect();
    let owner = format!("users:{}", ada.id);
    let (id, excerpt) = (json!(ada.id), "🦀".repeat(199) + "…");
    let expected = [
        ("user.created", "all", json!({"userId": id, "username": "Ada"})),
        ("user.updated", &owner, json!({"userId": id, "username": "Ada", "isActive": true})),
        (
            "user.updated",
            "all",
            json!({"userId": id, "username": "Ada", "firstName": "Ada", "excerpt": excerpt,
            "isActive": true, "changed": ["firstName", "bio"]}),
        ),
        (
            "user.updated",
            &owner,
            json!({"userId": id, "username": "Ada", "firstName": "Ada", "excerpt": excerpt,
            "isActive": true}),
        ),
        (
            "user.updated",
            &owner,
            json!({"userId": id, "username": "Ada", "firstName": "Ada", "excerpt": excerpt,
            "isActive": true, "changed": ["roles"]}),
        ),
        (
            "user.updated",
            "all",
            json!({"userId": id, "username": "Ada", "isActive": true,
            "changed": ["firstName", "bio"]}),
        ),
    ];
    assert_eq!(told.len(), expected.len());
    for (number, (event, (kind, audience, data))) in (1..).zip(told.iter().zip(expected)) {
        assert_eq!((&event["type"], &event["audience"], &event["data"]), (&json!(kind), &json!(audience), &data));
        assert_eq!(event["version"], json!(u64::to_string(&number)));
        assert_eq!((&event["source"], &event["traceparent"]), (&json!("/accounts"), &json!(TRACE)));
    }
}

/// Somebody else who is an admin.
async fn kept_admin(store: &Store) {
    kept(store, "root", "", &[Role::Admin]).await;
}

async fn what_is_refused_is_not_told(store: Store) {
    let ada = kept(&store, "ada", "ada@example.org", &[Role::Admin]).await;
    let bob = kept(&store, "bob", "", &[]).await;
    assert_eq!(told(&store).await.len(), 2);
    for taken in [draft("ADA", "", &[]), draft("eve", "Ada@example.org", &[])] {
        assert!(refused(store.create(taken, None).await).is_some());
    }
    let thief = with_email(&bob, "ada@example.org");
    assert_eq!(refused(store.replace(bob, thief, None).await), Some(Refusal::EmailTaken));
    // It is refused after all is written.
    let last = with(&ada, Change { roles: Some(Vec::new()), ..Change::default() });
    assert_eq!(refused(store.replace(ada, last, None).await), Some(Refusal::LastAdmin));
    assert!(told(&store).await.is_empty());
}

async fn of_racing_changes_the_one_that_is_kept_is_told(store: Store) {
    let ada = kept(&store, "ada", "", &[]).await;
    let bio = |racer: usize| Change { bio: Some(format!("racer {racer}")), ..Change::default() };
    let racers: Vec<_> = (0..8).map(|racer| with(&ada, bio(racer))).collect();
    join_all(racers.into_iter().map(|after| store.replace(ada.clone(), after, None))).await;
    let winner = one(&store, ada.id).await.profile.bio;
    let told = told(&store).await;
    let [_, updated] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&updated["data"]["excerpt"], &updated["version"]), (&json!(winner), &json!("2")));
}

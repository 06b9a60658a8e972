//! What a store must do, on SQLite and on PostgreSQL (whose administrator's URL is `TEST_DATABASE_URL`).

use std::any::Any;

use futures_util::future::join_all;
use kernel::{Caller, time};
use storage::postgres::scratch::Database;

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
}

fn draft(username: &str, email: &str, roles: &[Role]) -> Account {
    Account::new(username.to_owned(), email.to_owned(), "$hash".to_owned(), roles.to_vec(), time::now())
}

async fn kept(store: &Store, username: &str, email: &str, roles: &[Role]) -> Account {
    let account = draft(username, email, roles);
    store.create(account.clone()).await.expect("creates");
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
    } = account;
    format!(
        "{id} {username} {password_hash} {roles:?} {generation} {raised_at:?} {is_active} {profile:?} {created_at} {updated_at}"
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
    store.replace(ada, full.clone()).await.expect("replaces");
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
        let outcomes = join_all(racers.iter().map(|racer| store.create(racer.clone()))).await;
        let winners: Vec<_> = racers.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).collect();
        let [(winner, _)] = &winners[..] else { panic!("{} winners", winners.len()) };
        let found = store.find(format!("racer-{round}")).await.expect("finds").expect("there");
        assert_eq!(shown(&found), shown(winner));
    }
    let refusal = refused(store.create(draft("RACER-0", "", &[])).await);
    assert_eq!(refusal, Some(Refusal::UsernameTaken));
}

async fn an_address_belongs_to_one_and_can_be_let_go(store: Store) {
    let ada = kept(&store, "ada", "ada@example.org", &[]).await;
    let bob = kept(&store, "bob", "", &[]).await;
    let eve = draft("eve", "ADA@example.org", &[]);
    assert_eq!(refused(store.create(eve).await), Some(Refusal::EmailTaken));
    assert!(store.find("eve".to_owned()).await.expect("finds").is_none(), "nothing of it is kept");
    assert_eq!(
        refused(store.replace(bob.clone(), with_email(&bob, "Ada@example.org")).await),
        Some(Refusal::EmailTaken)
    );
    assert_eq!(shown(&one(&store, bob.id).await), shown(&bob));
    // In another case it is still hers, and the same.
    let louder = with_email(&ada, "ADA@EXAMPLE.ORG");
    store.replace(ada, louder.clone()).await.expect("replaces");
    let moved = with_email(&louder, "ada@example.com");
    store.replace(louder, moved.clone()).await.expect("replaces");
    assert!(store.find("ada@example.org".to_owned()).await.expect("finds").is_none());
    let heir = with_email(&bob, "ada@example.org");
    store.replace(bob, heir).await.expect("it is free");
    store.replace(moved.clone(), moved.erased(time::now())).await.expect("erases");
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
    let outcomes = join_all(changed.iter().map(|after| store.replace(ada.clone(), after.clone()))).await;
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
        store.replace(account.clone(), after)
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
    store.replace(ada.clone(), ada.clone().with_password("$new".to_owned(), at)).await.expect("replaces");
    let generation = vec![(ada.id.to_string(), 2)];
    assert_eq!(ended(at.timestamp_micros()).await.1, generation);
    assert_eq!(ended(at.timestamp_micros() + 1).await.1, []);
    let again = one(&store, ada.id).await;
    store.replace(again.clone(), with_email(&again, "ada@example.org")).await.expect("replaces");
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

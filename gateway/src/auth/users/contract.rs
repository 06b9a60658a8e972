//! What every user store must do, as one test suite: `users_contract!` makes a test of each case on fresh stores.

use std::{any::Any, sync::Arc};

use futures_util::future::join_all;
use kernel::time;
use uuid::Uuid;

use super::{User, Users, UsersError};

/// An empty store, and what must outlive it.
pub(super) struct Fresh {
    pub(super) users: Arc<dyn Users>,
    pub(super) _keep: Box<dyn Any + Send>,
}

/// Makes the tests of a store from a function that opens a fresh one.
macro_rules! users_contract {
    ($fresh:path) => {
        $crate::auth::users::contract::users_contract! { @cases $fresh: [
            a_user_is_found_as_created_in_any_case,
            an_unknown_user_is_none,
            a_name_is_taken_in_every_case,
            of_racing_creations_one_wins,
        ] }
    };
    (@cases $fresh:path: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $case() {
            let fresh = $fresh().await;
            $crate::auth::users::contract::$case(&*fresh.users).await;
        }
    )*};
}

pub(super) use users_contract;

fn user(username: &str) -> User {
    User {
        id: Uuid::new_v4(),
        username: username.to_owned(),
        password_hash: "$pbkdf2-sha256$i=1000$c2FsdA$aGFzaA".to_owned(),
        created_at: time::now(),
    }
}

pub(super) async fn a_user_is_found_as_created_in_any_case(users: &dyn Users) {
    let ada = user("Ada.L-1_");
    users.create(&ada).await.expect("created");
    for name in ["Ada.L-1_", "ada.l-1_", "ADA.L-1_"] {
        let found = users.find(name).await.expect("no failure").expect("found");
        assert_eq!((found.id, &found.username, found.created_at), (ada.id, &ada.username, ada.created_at), "{name}");
        assert_eq!(found.password_hash, ada.password_hash);
    }
}

pub(super) async fn an_unknown_user_is_none(users: &dyn Users) {
    users.create(&user("ada")).await.expect("created");
    for name in ["ad", "adaa", "", "%", "a_a"] {
        assert!(users.find(name).await.expect("no failure").is_none(), "{name}");
    }
}

pub(super) async fn a_name_is_taken_in_every_case(users: &dyn Users) {
    let first = user("ada");
    users.create(&first).await.expect("created");
    for name in ["ada", "Ada", "ADA"] {
        assert!(matches!(users.create(&user(name)).await, Err(UsersError::UsernameTaken)), "{name}");
    }
    let kept = users.find("ada").await.expect("no failure").expect("found");
    assert_eq!(kept.id, first.id, "the first one stays");
}

pub(super) async fn of_racing_creations_one_wins(users: &dyn Users) {
    let racers: Vec<_> = (0..32).map(|n| user(if n % 2 == 0 { "racer" } else { "RACER" })).collect();
    let outcomes = join_all(racers.iter().map(|racer| users.create(racer))).await;
    let winners: Vec<_> = racers.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let kept = users.find("racer").await.expect("no failure").expect("found");
    assert_eq!(kept.id, winners[0].0.id);
}

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::future::join_all;

use super::*;
use crate::redis::testing::Scratch;

fn at(number: u8) -> ClientAddress {
    ClientAddress([192, 0, 2, number].into())
}

fn wrong() -> Result<(), Problem> {
    Err(proto::errors::INVALID_CREDENTIALS.into())
}

/// Status of an attempt to log in with this outcome; 200 where it succeeds.
async fn login(guesses: &Guesses, name: &str, from: ClientAddress, outcome: Result<(), Problem>) -> u16 {
    let answer = guesses.login(name, from, std::future::ready(outcome)).await;
    answer.map_or_else(|problem| problem.status().as_u16(), |()| 200)
}

#[tokio::test]
async fn ten_failures_slow_a_name_down_from_everywhere_and_no_other() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    let alone = Guesses::new(60, None);
    let shared = [Guesses::new(60, Some(&one)), Guesses::new(60, Some(&two))];
    for gateways in [&[&alone, &alone], &[&shared[0], &shared[1]]] {
        let mut turns = gateways.iter().cycle();
        for number in 0..10 {
            let name = if number % 2 == 0 { "ada" } else { "ADA" };
            assert_eq!(login(turns.next().expect("endless"), name, at(number), wrong()).await, 401);
        }
        for gateway in gateways {
            assert_eq!(login(gateway, "ada", at(99), Ok(())).await, 429, "who knows the password waits, too");
            assert_eq!(login(gateway, "bob", at(99), wrong()).await, 401);
        }
    }
}

#[tokio::test]
async fn who_goes_on_guessing_does_not_keep_the_owner_out_at_home() {
    let scratch = Scratch::new();
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    let shared = [Guesses::new(1000, Some(&one)), Guesses::new(1000, Some(&two))];
    let alone = Guesses::new(1000, None);
    for [first, second] in [[&alone, &alone], [&shared[0], &shared[1]]] {
        assert_eq!(login(first, "ada", at(1), Ok(())).await, 200);
        for number in 0..20 {
            login(second, "ada", at(2 + number), wrong()).await;
        }
        assert_eq!(login(second, "ada", at(2), Ok(())).await, 429);
        for _ in 0..30 {
            assert_eq!(login(second, "ada", at(1), Ok(())).await, 200, "at home, on every gateway");
        }
        for _ in 0..10 {
            assert_eq!(login(first, "ada", at(1), wrong()).await, 401);
        }
        assert_eq!(login(first, "ada", at(1), wrong()).await, 429, "there, too, ten are all");
    }
}

#[tokio::test]
async fn only_failures_are_charged() {
    let guesses = Guesses::new(5, None);
    let invalid = || Err(Problem::invalid("password", "is required"));
    for _ in 0..30 {
        assert_eq!(login(&guesses, "ada", at(1), Ok(())).await, 200);
        assert_eq!(login(&guesses, "ada", at(1), invalid()).await, 400);
        assert_eq!(login(&guesses, "ada", at(1), Err(Problem::overloaded())).await, 503);
        let taken = guesses.register(at(1), std::future::ready(Err::<(), _>(Problem::overloaded()))).await;
        assert_eq!(taken.expect_err("taken").status().as_u16(), 503);
    }
    let registered = async || guesses.register(at(1), std::future::ready(Ok(()))).await.is_ok();
    assert!(registered().await && registered().await);
    for name in ["a", "b", "c"] {
        assert_eq!(login(&guesses, name, at(1), wrong()).await, 401);
    }
    assert_eq!(login(&guesses, "d", at(1), wrong()).await, 429, "five a minute for an address");
    assert!(!registered().await);
    assert_eq!(login(&guesses, "d", at(2), wrong()).await, 401, "and another address has five of its own");
}

#[tokio::test]
async fn a_hundred_guesses_at_once_are_ten() {
    let guesses = Guesses::new(1000, None);
    let guessed = AtomicUsize::new(0);
    let guess = || async {
        tokio::task::yield_now().await;
        guessed.fetch_add(1, Relaxed);
        wrong()
    };
    join_all((0..100).map(|number| guesses.login("ada", at(number), guess()))).await;
    assert_eq!(guessed.load(Relaxed), 10);
}

#[tokio::test]
async fn who_goes_away_in_the_middle_has_guessed() {
    let guesses = Guesses::new(1000, None);
    for _ in 0..10 {
        let attempt = guesses.login("ada", at(1), std::future::pending::<Result<(), Problem>>());
        assert!(tokio::time::timeout(Duration::from_millis(1), attempt).await.is_err());
    }
    assert_eq!(login(&guesses, "ada", at(2), wrong()).await, 429);
}

#[test]
fn no_name_counts_for_another_one_at_an_address() {
    let home: IpAddr = [192, 0, 2, 1].into();
    let keys = [name_key("ada", None), name_key("ada", Some(home)), name_key("ada\u{0}192.0.2.1", None)];
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert_eq!(name_key("ADA", Some(home)), keys[1]);
}

#[tokio::test]
async fn nothing_is_limited_where_no_limit_is_set() {
    let guesses = Guesses::new(0, None);
    for _ in 0..100 {
        assert_eq!(login(&guesses, "ada", at(1), wrong()).await, 401);
    }
}

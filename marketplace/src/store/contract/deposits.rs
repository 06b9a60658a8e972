use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use futures_util::future::join_all;
use kernel::{Caller, Currency, Money, Page};
use storage::idempotency::Claim;

use super::{OPENING, amounts, purchases::HOUR, usd, user};
use crate::{
    deposit::{Deposit, DepositError},
    ledger::EntryKind,
    store::Store,
    time,
    wallet::{EntryQuery, WalletEntry},
};

/// US cents, as the default limit has them.
const LIMIT: i64 = 1_000_000;
/// US cents that wallets open with.
const CENTS: i64 = OPENING * 100;

async fn deposit_at(
    store: &dyn Store,
    owner: &Caller,
    amount: Money,
    at: DateTime<Utc>,
) -> Result<WalletEntry, DepositError> {
    store.deposit(Deposit::new(owner.clone(), amount, None, at)).await.expect("no failure")
}

fn refused(left: i64) -> Result<WalletEntry, DepositError> {
    Err(DepositError::LimitExceeded { limit: usd(LIMIT), left: usd(left) })
}

/// Noon of the day, so that a test does not run into the next.
fn noon() -> DateTime<Utc> {
    time::now().date_naive().and_time(NaiveTime::from_hms_opt(12, 0, 0).expect("a time")).and_utc()
}

pub(crate) async fn a_deposit_comes_from_the_treasury_and_is_an_entry(store: &dyn Store) {
    let (owner, at) = (user("owner"), noon());
    let deposit = Deposit::new(owner.clone(), usd(250), None, at);
    let reference = deposit.entry.reference.clone();
    // Also the first that is heard of the user.
    let entry = store.deposit(deposit).await.expect("no failure").expect("deposits");
    let expected =
        WalletEntry { number: 5, kind: EntryKind::Deposit, amount: usd(250), balance: CENTS + 250, reference, at };
    assert_eq!(entry, expected);
    assert_eq!(amounts(store, &owner).await[0], CENTS + 250);
    let newest = EntryQuery::Page(Page { page: 1, limit: 1 });
    assert_eq!(store.entries(&owner, newest, None).await.expect("reads"), (vec![expected], 5));
}

pub(crate) async fn the_limit_is_for_each_user_currency_and_day(store: &dyn Store) {
    let (owner, other, at) = (user("owner"), user("other"), noon());
    let deposit = async |amount, at| deposit_at(store, &owner, usd(amount), at).await;
    assert_eq!(deposit(LIMIT + 1, at).await, refused(LIMIT));
    assert!(deposit(LIMIT - 1, at).await.is_ok());
    assert_eq!(deposit(2, at).await, refused(1));
    assert!(deposit(1, at + HOUR).await.is_ok());
    assert_eq!(deposit(1, at + HOUR).await, refused(0));

    let euros = Money { currency: Currency::Eur, minor_units: LIMIT };
    assert!(deposit_at(store, &owner, euros, at).await.is_ok(), "another currency");
    assert!(deposit_at(store, &other, usd(LIMIT), at).await.is_ok(), "another user");
    let tomorrow = at + Days::new(1);
    assert!(deposit(LIMIT, tomorrow).await.is_ok(), "another day");
    // A replica whose clock is behind gives nothing away.
    assert_eq!(deposit(1, at).await, refused(0));
    assert_eq!(amounts(store, &owner).await[..2], [CENTS + 2 * LIMIT, CENTS + LIMIT]);
}

pub(crate) async fn deposits_at_once_stay_within_the_limit(store: &dyn Store) {
    let (owner, at) = (user("owner"), noon());
    let part = LIMIT / 4 - 1;
    let outcomes = join_all((0..20).map(|_| deposit_at(store, &owner, usd(part), at))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert!(outcomes.iter().filter(|outcome| outcome.is_err()).all(|outcome| *outcome == refused(4)));
    assert_eq!(amounts(store, &owner).await[0], CENTS + 4 * part);
}

pub(crate) async fn a_refused_deposit_is_remembered(store: &dyn Store) {
    let owner = user("owner");
    let midnight = noon() + TimeDelta::hours(12);
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let deposit = async |key: &str, at| {
        let claim = Claim::new(owner.id, "Deposit", key.parse().expect("key"), &usd(1));
        store.deposit(Deposit::new(owner.clone(), usd(1), Some(claim), at)).await.expect("no failure")
    };
    assert!(deposit_at(store, &owner, usd(LIMIT), midnight - minutes(30)).await.is_ok());
    assert_eq!(deposit("key", midnight - minutes(20)).await, refused(0));
    // There is room again: the retry is told what its client was told.
    assert_eq!(deposit("key", midnight + minutes(39)).await, refused(0));
    assert!(deposit("another", midnight + minutes(39)).await.is_ok());
    assert!(deposit("key", midnight + minutes(41)).await.is_ok(), "an hour is over");
    assert_eq!(amounts(store, &owner).await[0], CENTS + LIMIT + 2);
}

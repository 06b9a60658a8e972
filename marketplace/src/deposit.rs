//! Deposits: money from the treasury, so much a day.

use chrono::{DateTime, NaiveDate, Utc};
use kernel::{Caller, Currency, Error, Money};
use proto::errors::DEPOSIT_LIMIT_EXCEEDED;
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::idempotency::{Claim, Key};
use tracing::Instrument;

use crate::{
    id,
    ledger::{Entry, EntryKind, TREASURY},
    store::Store,
    time,
    wallet::WalletEntry,
};

/// Name of the RPC.
const RPC: &str = "Deposit";

/// A deposit as it reaches the store.
#[derive(Clone, Debug)]
pub struct Deposit {
    pub owner: Caller,
    /// More than nothing.
    pub amount: Money,
    pub entry: Entry,
    pub claim: Option<Claim>,
    /// The trace that goes on in whoever hears of it.
    pub traceparent: Option<String>,
}

/// What a user has deposited of one currency, and on which day: a store keeps one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposited {
    /// In UTC.
    pub day: NaiveDate,
    /// Minor units.
    pub sum: i64,
}

/// Why a deposit is refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum DepositError {
    #[error("at most {limit} a day (UTC) can be deposited, and {left} of it is left")]
    LimitExceeded { limit: Money, left: Money },
}

impl From<DepositError> for Error {
    fn from(error: DepositError) -> Self {
        let DepositError::LimitExceeded { .. } = error;
        Self::new(DEPOSIT_LIMIT_EXCEEDED, error.to_string())
    }
}

impl Deposit {
    /// One of an id of its own, in no trace.
    pub fn new(owner: Caller, amount: Money, claim: Option<Claim>, at: DateTime<Utc>) -> Self {
        let accounts = (TREASURY, &*owner.id.to_string());
        let entry = Entry::transfer(EntryKind::Deposit, id::next().to_hex(), at, accounts, [amount]);
        Self { owner, amount, entry, claim, traceparent: None }
    }

    pub fn at(&self) -> DateTime<Utc> {
        self.entry.at
    }

    pub fn currency(&self) -> Currency {
        self.amount.currency
    }

    /// What is deposited on its day with it, where `before` was what had been: what a store asks in the act that makes
    /// it. A day that another replica's clock has begun already is not ended by one that is behind.
    pub fn settle(&self, before: Option<Deposited>, limit: Money) -> Result<Deposited, DepositError> {
        let today = Deposited { day: self.at().date_naive(), sum: 0 };
        let Deposited { day, sum } = before.filter(|before| before.day >= today.day).unwrap_or(today);
        let left = limit.minor_units.saturating_sub(sum).max(0);
        if self.amount.minor_units > left {
            return Err(DepositError::LimitExceeded { limit, left: Money { minor_units: left, ..limit } });
        }
        Ok(Deposited { day, sum: sum + self.amount.minor_units })
    }
}

/// Gives the caller an amount from the treasury; every [`DepositError`]. With a key, a retry ends as the first try did.
pub async fn make(
    store: &dyn Store,
    context: &Context<Caller>,
    (amount, key): (Money, Option<Key>),
) -> Result<WalletEntry, Error> {
    let owner = context.caller.clone();
    let claim = key.map(|key| Claim::new(owner.id, RPC, key, &amount));
    let traceparent = context.traceparent().map(str::to_owned);
    let deposit = Deposit { traceparent, ..Deposit::new(owner, amount, claim, time::now()) };
    Ok(store.deposit(deposit).instrument(trace::store(store.backend(), "deposits.make")).await??)
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use uuid::Uuid;

    use super::*;

    fn usd(minor_units: i64) -> Money {
        Money { currency: Currency::Usd, minor_units }
    }

    #[test]
    fn the_limit_is_for_a_day_and_may_be_used_up() {
        let deposit = |amount| {
            let ada = Caller { id: Uuid::nil(), name: "ada".to_owned(), is_admin: false };
            Deposit::new(ada, usd(amount), None, time::now())
        };
        let today = deposit(1).at().date_naive();
        let (yesterday, tomorrow) = (today - Days::new(1), today + Days::new(1));
        let settle = |amount, before: Option<(NaiveDate, i64)>| {
            deposit(amount)
                .settle(before.map(|(day, sum)| Deposited { day, sum }), usd(100))
                .map(|now| (now.day, now.sum))
        };
        let refused = |left| Err(DepositError::LimitExceeded { limit: usd(100), left: usd(left) });
        assert_eq!(settle(100, None), Ok((today, 100)));
        assert_eq!(settle(101, None), refused(100));
        assert_eq!(settle(40, Some((today, 60))), Ok((today, 100)));
        assert_eq!(settle(41, Some((today, 60))), refused(40));
        assert_eq!(settle(100, Some((yesterday, 100))), Ok((today, 100)));
        // Another replica's clock says tomorrow.
        assert_eq!(settle(1, Some((tomorrow, 100))), refused(0));
        assert_eq!(settle(1, Some((tomorrow, 99))), Ok((tomorrow, 100)));
        // The limit was lowered meanwhile; the longest sum fits.
        assert_eq!(settle(1, Some((today, 300))), refused(0));
        let most = Deposited { day: today, sum: 0 };
        assert!(deposit(i64::MAX).settle(Some(most), usd(i64::MAX)).is_ok());
    }

    #[test]
    fn the_refusal_says_what_is_left() {
        let error = Error::from(DepositError::LimitExceeded { limit: usd(10_000), left: usd(250) });
        assert_eq!(error.code(), DEPOSIT_LIMIT_EXCEEDED);
        assert_eq!(error.to_string(), "at most 100.00 USD a day (UTC) can be deposited, and 2.50 USD of it is left");
    }
}

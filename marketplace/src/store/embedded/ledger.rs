//! Accounts, balances and entries in SQLite.

use std::collections::HashMap;

use bson::oid::ObjectId;
use chrono::{DateTime, Utc};
use diesel::{dsl::sql, prelude::*, sql_types::BigInt};
use kernel::{Caller, Currency, Money};
use uuid::Uuid;

use super::{
    Error,
    rows::parse,
    schema::{accounts, balances, entries},
};
use crate::{
    ledger::{Discrepancy, EntryKind, TREASURY},
    wallet::{Balances, Wallet},
};

/// What the treasury may owe, and so the most that all others can have together: no balance can overflow.
const MOST_ISSUED: i64 = i64::MAX;

/// An amount on its way from one account to another.
pub(super) struct Entry<'a> {
    pub(super) kind: EntryKind,
    pub(super) transaction: Option<ObjectId>,
    pub(super) amount: Money,
    /// Owner of the account that has less afterwards.
    pub(super) debit: &'a str,
    /// Owner of the account that has more afterwards.
    pub(super) credit: &'a str,
    pub(super) at: DateTime<Utc>,
}

/// Makes an entry and brings both balances up to date; `false`, and nothing done, where the debited account lacks it.
pub(super) fn post(connection: &mut SqliteConnection, entry: &Entry<'_>) -> Result<bool, Error> {
    let Money { currency, minor_units: amount } = entry.amount;
    let floor = if entry.debit == TREASURY { -MOST_ISSUED } else { 0 };
    let debited = diesel::update(balances::table.find((entry.debit, currency.code())))
        // An amount is not negative, so that this does not overflow.
        .filter(balances::balance.ge(floor + amount))
        .set(balances::balance.eq(balances::balance - amount))
        .execute(connection)?;
    if debited == 0 {
        return Ok(false);
    }
    let credited = diesel::update(balances::table.find((entry.credit, currency.code())))
        .set(balances::balance.eq(balances::balance + amount))
        .execute(connection)?;
    if credited != 1 {
        return Err(Error::Failed(format!("{} has no account in {currency}", entry.credit).into()));
    }
    diesel::insert_into(entries::table)
        .values((
            entries::kind.eq(entry.kind.as_str()),
            entries::transaction_id.eq(entry.transaction.map(ObjectId::to_hex)),
            entries::currency.eq(currency.code()),
            entries::amount.eq(amount),
            entries::debit.eq(entry.debit),
            entries::credit.eq(entry.credit),
            entries::created_at.eq(entry.at.timestamp_micros()),
        ))
        .execute(connection)?;
    Ok(true)
}

/// Opens an account with the opening balances, from the treasury, for one who has none.
pub(super) fn open_account(
    connection: &mut SqliteConnection,
    owner: &Caller,
    opening: &Balances,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let id = owner.id.to_string();
    let opened = diesel::insert_or_ignore_into(accounts::table)
        .values((
            accounts::owner.eq(&id),
            accounts::username.eq(&owner.name),
            accounts::opened_at.eq(at.timestamp_micros()),
        ))
        .execute(connection)?;
    if opened == 0 {
        return Ok(());
    }
    for amount in *opening {
        diesel::insert_into(balances::table)
            .values((balances::owner.eq(&id), balances::currency.eq(amount.currency.code()), balances::balance.eq(0)))
            .execute(connection)?;
        let issue = Entry { kind: EntryKind::Issue, transaction: None, amount, debit: TREASURY, credit: &id, at };
        if !post(connection, &issue)? {
            return Err(Error::TreasuryExhausted(amount.currency));
        }
    }
    Ok(())
}

/// What an account has of one currency.
pub(super) fn balance(connection: &mut SqliteConnection, owner: Uuid, currency: Currency) -> Result<Money, Error> {
    let key = (owner.to_string(), currency.code());
    let minor_units = balances::table.find(key).select(balances::balance).get_result(connection)?;
    Ok(Money { currency, minor_units })
}

/// What an account has; `None` where there is no account.
pub(super) fn wallet(connection: &mut SqliteConnection, owner: Uuid) -> Result<Option<Wallet>, Error> {
    let rows: Vec<(String, i64)> = balances::table
        .filter(balances::owner.eq(owner.to_string()))
        .select((balances::currency, balances::balance))
        .load(connection)?;
    if rows.is_empty() {
        return Ok(None);
    }
    let amounts = rows.iter().map(|(code, amount)| Ok((parse(code)?, *amount)));
    let amounts = amounts.collect::<Result<HashMap<Currency, i64>, Error>>()?;
    let balances =
        Currency::ALL.map(|currency| Money { currency, minor_units: amounts.get(&currency).copied().unwrap_or(0) });
    Ok(Some(Wallet { owner, balances }))
}

/// The sum over all accounts a currency.
pub(super) fn imbalance(connection: &mut SqliteConnection) -> Result<Vec<(Currency, i128)>, Error> {
    // SQLite adds in 64 bits: the upper and lower halves are added apart, so that no sum of balances is too great for it.
    let halves: Vec<(String, i64, i64)> = balances::table
        .group_by(balances::currency)
        .select((balances::currency, sql::<BigInt>("sum(balance >> 32)"), sql::<BigInt>("sum(balance & 4294967295)")))
        .load(connection)?;
    halves
        .into_iter()
        .map(|(currency, upper, lower)| Ok((parse(&currency)?, (i128::from(upper) << 32) + i128::from(lower))))
        .collect()
}

/// The accounts whose balance is not what their entries add up to.
pub(super) fn audit(connection: &mut SqliteConnection) -> Result<Vec<Discrepancy>, Error> {
    let columns = (entries::debit, entries::credit, entries::currency, entries::amount);
    let mut sums: HashMap<(String, String), i128> = HashMap::new();
    for (debit, credit, currency, amount) in
        entries::table.select(columns).load::<(String, String, String, i64)>(connection)?
    {
        *sums.entry((debit, currency.clone())).or_default() -= i128::from(amount);
        *sums.entry((credit, currency)).or_default() += i128::from(amount);
    }
    let mut discrepancies = Vec::new();
    for (owner, currency, balance) in balances::table.load::<(String, String, i64)>(connection)? {
        let key = (owner, currency);
        let entries = sums.remove(&key).unwrap_or(0);
        if i128::from(balance) != entries {
            discrepancies.push(Discrepancy { currency: parse(&key.1)?, owner: key.0, balance, entries });
        }
    }
    Ok(discrepancies)
}

//! Accounts, balances and the journal in SQLite.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    dsl::sql,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use kernel::{Caller, Currency, Money};
use uuid::Uuid;

use super::{
    Error,
    rows::{damaged, money, parse, time},
    schema::{accounts, balances, journal, postings},
    tell,
};
use crate::{
    deposit::{Deposit, DepositError, Deposited},
    ledger::{Audit, Discrepancy, Entry, EntryKind, Posting, TREASURY},
    told,
    wallet::{Amounts, EntryQuery, Wallet, WalletEntry},
};

/// What the treasury may owe, and so the most that all others can have together: no balance can overflow.
const MOST_ISSUED: i64 = i64::MAX;

/// Makes an entry, and brings the balances up to date. An error where an account lacks what it is to give: of the
/// treasury [`Error::TreasuryExhausted`], of others a bug, since who makes an entry has looked.
pub(super) fn post(connection: &mut SqliteConnection, entry: &Entry) -> Result<(), Error> {
    let id: i64 = diesel::insert_into(journal::table)
        .values((
            journal::kind.eq(entry.kind.as_str()),
            journal::reference.eq(&entry.reference),
            journal::created_at.eq(entry.at.timestamp_micros()),
        ))
        .returning(journal::id)
        .get_result(connection)?;
    for Posting { owner, amount: Money { currency, minor_units: amount } } in entry.postings() {
        let floor = if owner == TREASURY { -MOST_ISSUED } else { 0 };
        let balance: Option<i64> = diesel::update(balances::table.find((owner, currency.as_str())))
            // What is given is not more than there can be, and so this does not overflow.
            .filter(balances::balance.ge(floor - *amount.min(&0)))
            .set(balances::balance.eq(balances::balance + amount))
            .returning(balances::balance)
            .get_result(connection)
            .optional()?;
        let Some(balance) = balance else {
            return Err(match &**owner {
                TREASURY => Error::TreasuryExhausted(*currency),
                owner => Error::Failed(format!("{owner} has no {amount} minor units of {currency} to give").into()),
            });
        };
        InsertPosting { owner, entry: id, currency: currency.as_str(), amount: *amount, balance }
            .execute(connection)?;
    }
    Ok(())
}

/// The next posting of its owner. (diesel's own insertions know no subquery among their values.)
struct InsertPosting<'a> {
    owner: &'a str,
    entry: i64,
    currency: &'a str,
    amount: i64,
    balance: i64,
}

/// Parsed once a connection.
impl QueryId for InsertPosting<'_> {
    type QueryId = InsertPosting<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl QueryFragment<Sqlite> for InsertPosting<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("INSERT INTO postings (number, owner, entry, currency, amount, balance) VALUES ");
        out.push_sql("((SELECT coalesce(max(number), 0) + 1 FROM postings WHERE owner = ");
        out.push_bind_param::<Text, _>(self.owner)?;
        out.push_sql("), ");
        out.push_bind_param::<Text, _>(self.owner)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.entry)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(self.currency)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.amount)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.balance)?;
        out.push_sql(")");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for InsertPosting<'_> {}

/// Opens an account with the opening balances, from the treasury, for one who has none.
pub(super) fn open_account(
    connection: &mut SqliteConnection,
    owner: &Caller,
    opening: &Amounts,
    at: DateTime<Utc>,
    traceparent: Option<&str>,
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
    for currency in Currency::ALL {
        diesel::insert_into(balances::table)
            .values((balances::owner.eq(&id), balances::currency.eq(currency.as_str()), balances::balance.eq(0)))
            .execute(connection)?;
    }
    let entry = Entry::transfer(EntryKind::Issue, id.clone(), at, (TREASURY, &id), opening.iter());
    post(connection, &entry)?;
    tell(connection, &[told::issued(&entry, &id, traceparent)?])
}

/// Makes a deposit of one who has an account, or refuses it.
pub(super) fn deposit(
    connection: &mut SqliteConnection,
    deposit: &Deposit,
    limits: &Amounts,
) -> Result<Result<WalletEntry, DepositError>, Error> {
    let owner = deposit.owner.id.to_string();
    let of_currency = || balances::table.find((&owner, deposit.currency().as_str()));
    let (day, sum): (String, i64) =
        of_currency().select((balances::deposited_on, balances::deposited)).get_result(connection)?;
    let before = match &*day {
        "" => None,
        day => Some(Deposited { day: parse::<NaiveDate>(day)?, sum }),
    };
    let deposited = match deposit.settle(before, limits.get(deposit.currency())) {
        Ok(deposited) => deposited,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let counted = diesel::update(of_currency())
        .filter(balances::deposited_on.eq(&day))
        .filter(balances::deposited.eq(sum))
        .set((balances::deposited_on.eq(deposited.day.to_string()), balances::deposited.eq(deposited.sum)))
        .execute(connection)?;
    if counted != 1 {
        return Err(Error::Failed("a deposit was counted by somebody else meanwhile".into()));
    }
    post(connection, &deposit.entry)?;
    let made = entries(connection, deposit.owner.id, (i64::MAX, 1))?.pop();
    let made = made.ok_or_else(|| damaged(owner, "has no postings"))?;
    tell(connection, &told::deposited(deposit, &made)?)?;
    Ok(Ok(made))
}

/// What an account has of one currency.
pub(super) fn balance(connection: &mut SqliteConnection, owner: Uuid, currency: Currency) -> Result<Money, Error> {
    let key = (owner.to_string(), currency.as_str());
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
    let balance = |currency| Ok(Money { currency, minor_units: amounts.get(&currency).copied().unwrap_or(0) });
    Ok(Some(Wallet { owner, balances: Amounts::of::<Error>(balance)? }))
}

/// A page of an account's entries, and how many there are; `None` where there is no account.
pub(super) fn entry_page(
    connection: &mut SqliteConnection,
    owner: Uuid,
    query: EntryQuery,
) -> Result<Option<(Vec<WalletEntry>, u64)>, Error> {
    let newest = postings::table.filter(postings::owner.eq(owner.to_string())).order(postings::number.desc());
    let total: Option<i64> = newest.select(postings::number).first(connection).optional()?;
    let Some(total) = total.map(i64::unsigned_abs) else { return Ok(None) };
    let (newest, limit) = query.newest(total);
    let newest = i64::try_from(newest).unwrap_or(i64::MAX);
    Ok(Some((entries(connection, owner, (newest, limit))?, total)))
}

/// At most so many of an account's entries, from that number down.
fn entries(
    connection: &mut SqliteConnection,
    owner: Uuid,
    (newest, limit): (i64, u32),
) -> Result<Vec<WalletEntry>, Error> {
    type Row = (i64, String, i64, i64, String, String, i64);
    let rows: Vec<Row> = postings::table
        .inner_join(journal::table)
        .filter(postings::owner.eq(owner.to_string()))
        .filter(postings::number.le(newest))
        .order(postings::number.desc())
        .limit(limit.into())
        .select((
            postings::number,
            postings::currency,
            postings::amount,
            postings::balance,
            journal::kind,
            journal::reference,
            journal::created_at,
        ))
        .load(connection)?;
    let entry = |(number, currency, amount, balance, kind, reference, at): Row| {
        Ok(WalletEntry {
            number: number.unsigned_abs(),
            kind: parse(&kind)?,
            amount: money(&currency, amount)?,
            balance,
            reference,
            at: time(at)?,
        })
    };
    rows.into_iter().map(entry).collect()
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

/// Where the books are not right.
pub(super) fn audit(connection: &mut SqliteConnection) -> Result<Vec<Discrepancy>, Error> {
    type Row = (String, i64, i64, String, i64, i64);
    let mut audit = Audit::default();
    let rows: Vec<Row> = postings::table.order((postings::owner, postings::number)).load(connection)?;
    for (owner, number, entry, currency, amount, balance) in rows {
        let posting = Posting { owner, amount: money(&currency, amount)? };
        audit.posting(entry.to_string(), number.unsigned_abs(), posting, balance);
    }
    let columns = (balances::owner, balances::currency, balances::balance);
    for (owner, currency, balance) in balances::table.select(columns).load::<(String, String, i64)>(connection)? {
        audit.balance(owner, money(&currency, balance)?);
    }
    Ok(audit.finish())
}

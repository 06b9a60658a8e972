//! Accounts, balances and entries in MongoDB.

use std::collections::HashMap;

use bson::{Bson, Document, doc};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use kernel::{Caller, Currency, Money};

use super::{
    Error,
    documents::{AccountDocument, EntryDocument, damaged, date, parse},
    transaction::{Act, Halt},
};
use crate::{
    ledger::{Discrepancy, EntryKind, TREASURY},
    purchase::Transaction,
    wallet::Balances,
};

/// What the treasury may owe, and so the most that all others can have together: no balance can overflow.
const MOST_ISSUED: i64 = i64::MAX;

/// The account of `owner`, opened with the opening balances from the treasury where there is none.
pub(super) async fn open_account(
    act: &mut Act<'_>,
    owner: &Caller,
    opening: &Balances,
    at: DateTime<Utc>,
) -> Result<AccountDocument, Halt> {
    let id = owner.id.to_string();
    if let Some(account) = account(act, &id).await? {
        return Ok(account);
    }
    issue(act, opening).await?;
    let entries = opening.map(|amount| EntryDocument {
        id: format!("{}/{id}/{}", EntryKind::Issue.as_str(), amount.currency),
        kind: EntryKind::Issue.as_str().to_owned(),
        currency: amount.currency.code().to_owned(),
        amount: amount.minor_units,
        debit: TREASURY.to_owned(),
        credit: id.clone(),
        created_at: date(at),
    });
    act.collections.entries.insert_many(entries).session(&mut act.session).await?;
    let account = AccountDocument {
        owner: id,
        username: owner.name.clone(),
        balances: opening.iter().map(|amount| (amount.currency.code().to_owned(), amount.minor_units)).collect(),
        active_listings: 0,
        completed_sales: 0,
        opened_at: date(at),
    };
    act.collections.accounts.insert_one(&account).session(&mut act.session).await?;
    Ok(account)
}

/// The treasury's account before it has issued anything.
pub(super) fn empty_treasury() -> AccountDocument {
    AccountDocument {
        owner: TREASURY.to_owned(),
        username: TREASURY.to_owned(),
        balances: Currency::ALL.iter().map(|currency| (currency.code().to_owned(), 0)).collect(),
        active_listings: 0,
        completed_sales: 0,
        opened_at: bson::DateTime::from_millis(0),
    }
}

async fn account(act: &mut Act<'_>, owner: &str) -> Result<Option<AccountDocument>, Halt> {
    Ok(act.collections.accounts.find_one(doc! { "_id": owner }).session(&mut act.session).await?)
}

/// Debits the treasury; [`Error::TreasuryExhausted`] where it would owe too much.
async fn issue(act: &mut Act<'_>, amounts: &Balances) -> Result<(), Halt> {
    let (mut able, mut change) = (doc! { "_id": TREASURY }, Document::new());
    for Money { currency, minor_units } in amounts {
        able.insert(balance_of(*currency), doc! { "$gte": minor_units - MOST_ISSUED });
        change.insert(balance_of(*currency), -minor_units);
    }
    let debited = act.collections.accounts.update_one(able, doc! { "$inc": change }).session(&mut act.session).await?;
    if debited.matched_count == 1 {
        return Ok(());
    }
    let treasury = account(act, TREASURY).await?.ok_or_else(|| damaged(TREASURY, "has no account"))?;
    for Money { currency, minor_units } in *amounts {
        if treasury.balance(currency)?.minor_units < minor_units - MOST_ISSUED {
            return Err(Error::TreasuryExhausted(currency).into());
        }
    }
    Err(Halt::Changed)
}

/// Moves the price from buyer to seller and counts the sale; [`Halt::Changed`] where the buyer has not so much any more.
pub(super) async fn pay(act: &mut Act<'_>, transaction: &Transaction) -> Result<(), Halt> {
    let (buyer, seller) = (transaction.buyer_id.to_string(), transaction.seller_id.to_string());
    let Money { currency, minor_units: price } = transaction.price;
    let balance = balance_of(currency);
    let able = doc! { "_id": &buyer, &balance: { "$gte": price } };
    let debit = doc! { "$inc": { &balance: -price } };
    let debited = act.collections.accounts.update_one(able, debit).session(&mut act.session).await?;
    // Known before the credit: validators judge inside of the transaction too, and what a seller would be left with who
    // is paid for nothing, one listing less than none, is a failure (121) to them and no conflict.
    if debited.matched_count != 1 {
        return Err(Halt::Changed);
    }
    let credit = doc! { "$inc": { &balance: price, "activeListings": -1_i64, "completedSales": 1_i64 } };
    let credited =
        act.collections.accounts.update_one(doc! { "_id": &seller }, credit).session(&mut act.session).await?;
    if credited.matched_count != 1 {
        return Err(Halt::Changed);
    }
    let entry = EntryDocument {
        id: format!("{}/{}", EntryKind::Purchase.as_str(), transaction.id),
        kind: EntryKind::Purchase.as_str().to_owned(),
        currency: currency.code().to_owned(),
        amount: price,
        debit: buyer,
        credit: seller,
        created_at: date(transaction.created_at),
    };
    act.collections.entries.insert_one(entry).session(&mut act.session).await?;
    Ok(())
}

/// The field of an account that has its balance.
fn balance_of(currency: Currency) -> String {
    format!("balances.{currency}")
}

/// The sum over all accounts a currency.
pub(super) async fn imbalance(act: &mut Act<'_>) -> Result<Vec<(Currency, i128)>, Halt> {
    let mut sums = doc! { "_id": null };
    for currency in Currency::ALL {
        sums.insert(currency.code(), doc! { "$sum": format!("${}", balance_of(currency)) });
    }
    let aggregate = act.collections.accounts.aggregate([doc! { "$group": sums }]);
    let mut cursor = aggregate.session(&mut act.session).await?;
    let sums = cursor.next(&mut act.session).await.transpose()?.unwrap_or_default();
    Currency::ALL.into_iter().map(|currency| Ok((currency, whole(sums.get(currency.code()))?))).collect()
}

/// What `$sum` makes of integers: exact where it fits 64 bits, and so wherever the balances add up to zero; a float,
/// near enough to tell that they do not, elsewhere.
fn whole(sum: Option<&Bson>) -> Result<i128, Error> {
    match sum {
        Some(&Bson::Int32(sum)) => Ok(sum.into()),
        Some(&Bson::Int64(sum)) => Ok(sum.into()),
        Some(&Bson::Double(sum)) => Ok(sum as i128),
        other => Err(damaged(format_args!("{other:?}"), "is no sum")),
    }
}

/// The accounts whose balance is not what their entries add up to. What is not read within a call's deadline is too much.
pub(super) async fn audit(act: &mut Act<'_>) -> Result<Vec<Discrepancy>, Halt> {
    let mut sums: HashMap<(String, String), i128> = HashMap::new();
    let mut cursor = act.collections.entries.find(doc! {}).session(&mut act.session).await?;
    let mut entries = cursor.stream(&mut act.session);
    while let Some(EntryDocument { debit, credit, currency, amount, .. }) = entries.try_next().await? {
        *sums.entry((debit, currency.clone())).or_default() -= i128::from(amount);
        *sums.entry((credit, currency)).or_default() += i128::from(amount);
    }
    drop(entries);

    let mut discrepancies = Vec::new();
    let mut cursor = act.collections.accounts.find(doc! {}).session(&mut act.session).await?;
    let mut accounts = cursor.stream(&mut act.session);
    while let Some(AccountDocument { owner, balances, .. }) = accounts.try_next().await? {
        for (code, balance) in balances {
            let key = (owner.clone(), code);
            let entries = sums.remove(&key).unwrap_or(0);
            if i128::from(balance) != entries {
                discrepancies.push(Discrepancy { currency: parse(&key.1)?, owner: key.0, balance, entries });
            }
        }
    }
    Ok(discrepancies)
}

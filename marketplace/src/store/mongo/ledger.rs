//! Accounts and the journal in MongoDB.
//!
//! An account's document has its balances, and how many postings it has: the update that changes the one counts the
//! other, so that a posting's number, and the balance that it left, come from the very act that made it.

use bson::{Bson, Document, doc};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::TryStreamExt;
use kernel::{Caller, Currency, Money};
use mongodb::options::ReturnDocument;

use super::{
    Error,
    documents::{AccountDocument, DepositedDocument, PostingDocument, damaged, date, money, parse},
    transaction::{Act, Halt},
};
use crate::{
    deposit::{Deposit, DepositError, Deposited},
    ledger::{Audit, Discrepancy, Entry, EntryKind, Posting, TREASURY},
    purchase::Transaction,
    told,
    wallet::{Amounts, EntryQuery, WalletEntry},
};

/// What the treasury may owe, and so the most that all others can have together: no balance can overflow.
const MOST_ISSUED: i64 = i64::MAX;

/// The account of `owner`, opened with the opening balances from the treasury where there is none.
pub(super) async fn open_account(
    act: &mut Act<'_>,
    owner: &Caller,
    opening: &Amounts,
    at: DateTime<Utc>,
    traceparent: Option<&str>,
) -> Result<AccountDocument, Halt> {
    let id = owner.id.to_string();
    if let Some(account) = account(act, &id).await? {
        return Ok(account);
    }
    let entry = Entry::transfer(EntryKind::Issue, id.clone(), at, (TREASURY, &id), opening.iter());
    let treasury = issue(act, &entry).await?;
    let account = AccountDocument {
        postings: Currency::ALL.len() as i64,
        balances: opening.iter().map(|amount| (amount.currency.as_str().to_owned(), amount.minor_units)).collect(),
        ..AccountDocument::empty(&id, &owner.name, date(at))
    };
    insert_postings(act, &entry, [&treasury, &account]).await?;
    act.collections.accounts.insert_one(&account).session(&mut act.session).await?;
    act.tell(&[told::issued(&entry, &id, traceparent)?]).await?;
    Ok(account)
}

async fn account(act: &mut Act<'_>, owner: &str) -> Result<Option<AccountDocument>, Halt> {
    Ok(act.collections.accounts.find_one(doc! { "_id": owner }).session(&mut act.session).await?)
}

/// What an entry does to the account of `owner`, whose state it is from then on; [`Halt::Changed`], and nothing done, where
/// that lacks what it is to give, or is not `able` any more. `also` are other fields and by how much they grow, `set`
/// others and what they become.
async fn apply(
    act: &mut Act<'_>,
    entry: &Entry,
    owner: &str,
    mut able: Document,
    (also, set): (Document, Document),
) -> Result<AccountDocument, Halt> {
    let floor = if owner == TREASURY { -MOST_ISSUED } else { 0 };
    let (mut grows, mut postings) = (also, 0_i64);
    able.insert("_id", owner);
    for Posting { amount: Money { currency, minor_units: amount }, .. } in of(entry, owner) {
        let balance = balance_of(*currency);
        if *amount < 0 {
            able.insert(&balance, doc! { "$gte": floor - amount });
        }
        grows.insert(balance, *amount);
        postings += 1;
    }
    grows.insert("postings", postings);
    let mut change = doc! { "$inc": grows };
    if !set.is_empty() {
        change.insert("$set", set);
    }
    let changed = act.collections.accounts.find_one_and_update(able, change).return_document(ReturnDocument::After);
    changed.session(&mut act.session).await?.ok_or(Halt::Changed)
}

/// Those of an entry's postings that are to one account.
fn of<'a>(entry: &'a Entry, owner: &'a str) -> impl Iterator<Item = &'a Posting> {
    entry.postings().iter().filter(move |posting| posting.owner == owner)
}

/// Debits the treasury; [`Error::TreasuryExhausted`] where it would owe too much.
async fn issue(act: &mut Act<'_>, entry: &Entry) -> Result<AccountDocument, Halt> {
    match apply(act, entry, TREASURY, Document::new(), Default::default()).await {
        Err(Halt::Changed) => {}
        issued => return issued,
    }
    let treasury = account(act, TREASURY).await?.ok_or_else(|| damaged(TREASURY, "has no account"))?;
    for Posting { amount: Money { currency, minor_units: amount }, .. } in of(entry, TREASURY) {
        if treasury.balance(*currency)?.minor_units < -MOST_ISSUED - amount {
            return Err(Error::TreasuryExhausted(*currency).into());
        }
    }
    Err(Halt::Changed)
}

/// Writes the postings of an entry that has been applied to `accounts`.
async fn insert_postings(act: &mut Act<'_>, entry: &Entry, accounts: [&AccountDocument; 2]) -> Result<(), Halt> {
    let mut documents = Vec::with_capacity(entry.postings().len());
    for account in accounts {
        let count = of(entry, &account.owner).count() as i64;
        for (posting, number) in of(entry, &account.owner).zip(account.postings - count + 1..) {
            let balance = account.balance(posting.amount.currency)?.minor_units;
            documents.push(PostingDocument::new(entry, posting, number, balance));
        }
    }
    act.collections.postings.insert_many(documents).session(&mut act.session).await?;
    Ok(())
}

/// Moves the price from buyer to seller and counts the sale; [`Halt::Changed`] where the buyer has not so much any more.
pub(super) async fn pay(act: &mut Act<'_>, transaction: &Transaction) -> Result<(), Halt> {
    let (buyer, seller) = (transaction.buyer_id.to_string(), transaction.seller_id.to_string());
    let entry = transaction.entry();
    // Known before the credit: validators judge inside of the transaction too, and what a seller would be left with who
    // is paid for nothing, one listing less than none, is a failure (121) to them and no conflict.
    let buyer = apply(act, &entry, &buyer, Document::new(), Default::default()).await?;
    let sold = doc! { "activeListings": -1_i64, "completedSales": 1_i64 };
    let seller = apply(act, &entry, &seller, Document::new(), (sold, Document::new())).await?;
    insert_postings(act, &entry, [&buyer, &seller]).await
}

/// Makes a deposit of one whose account is `account`, or refuses it.
pub(super) async fn deposit(
    act: &mut Act<'_>,
    deposit: &Deposit,
    account: &AccountDocument,
    limits: &Amounts,
) -> Result<Result<WalletEntry, DepositError>, Halt> {
    let currency = deposit.currency();
    let field = format!("deposited.{currency}");
    let before = account.deposited.get(currency.as_str());
    let (before, able) = match before {
        None => (None, doc! { &field: { "$exists": false } }),
        Some(DepositedDocument { day, sum }) => (
            Some(Deposited { day: parse::<NaiveDate>(day)?, sum: *sum }),
            doc! { format!("{field}.day"): day, format!("{field}.sum"): *sum },
        ),
    };
    let Deposited { day, sum } = match deposit.settle(before, limits.get(currency)) {
        Ok(deposited) => deposited,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let set = doc! { field: { "day": day.to_string(), "sum": sum } };
    let treasury = issue(act, &deposit.entry).await?;
    let account = apply(act, &deposit.entry, &account.owner, able, (Document::new(), set)).await?;
    insert_postings(act, &deposit.entry, [&treasury, &account]).await?;
    let made = WalletEntry {
        number: account.postings.unsigned_abs(),
        kind: deposit.entry.kind,
        amount: deposit.amount,
        balance: account.balance(currency)?.minor_units,
        reference: deposit.entry.reference.clone(),
        at: deposit.at(),
    };
    act.tell(&told::deposited(deposit, &made)?).await?;
    Ok(Ok(made))
}

/// The field of an account that has its balance.
fn balance_of(currency: Currency) -> String {
    format!("balances.{currency}")
}

/// A page of an account's entries, and how many there are.
pub(super) async fn entries(
    act: &mut Act<'_>,
    account: &AccountDocument,
    query: EntryQuery,
) -> Result<(Vec<WalletEntry>, u64), Halt> {
    let total = account.postings.unsigned_abs();
    let (newest, limit) = query.newest(total);
    // Not more than the account has: fits.
    let page = doc! { "owner": &account.owner, "number": { "$lte": newest as i64 } };
    let page = act.collections.postings.find(page).sort(doc! { "owner": 1, "number": -1 }).limit(limit.into());
    let mut cursor = page.session(&mut act.session).await?;
    let documents: Vec<_> = cursor.stream(&mut act.session).try_collect().await?;
    let entries = documents.into_iter().map(WalletEntry::try_from).collect::<Result<_, _>>()?;
    Ok((entries, total))
}

/// The sum over all accounts a currency.
pub(super) async fn imbalance(act: &mut Act<'_>) -> Result<Vec<(Currency, i128)>, Halt> {
    let mut sums = doc! { "_id": null };
    for currency in Currency::ALL {
        sums.insert(currency.as_str(), doc! { "$sum": format!("${}", balance_of(currency)) });
    }
    let aggregate = act.collections.accounts.aggregate([doc! { "$group": sums }]);
    let mut cursor = aggregate.session(&mut act.session).await?;
    let sums = cursor.next(&mut act.session).await.transpose()?.unwrap_or_default();
    Currency::ALL.into_iter().map(|currency| Ok((currency, whole(sums.get(currency.as_str()))?))).collect()
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

/// Where the books are not right. What is not read within a call's deadline is too much.
pub(super) async fn audit(act: &mut Act<'_>) -> Result<Vec<Discrepancy>, Halt> {
    let mut audit = Audit::default();
    let postings = act.collections.postings.find(doc! {}).sort(doc! { "owner": 1, "number": 1 });
    let mut cursor = postings.session(&mut act.session).await?;
    let mut postings = cursor.stream(&mut act.session);
    while let Some(PostingDocument { owner, number, kind, reference, currency, amount, balance, .. }) =
        postings.try_next().await?
    {
        let posting = Posting { owner, amount: money(&currency, amount)? };
        audit.posting(format!("{kind}/{reference}"), number.unsigned_abs(), posting, balance);
    }
    drop(postings);

    let mut cursor = act.collections.accounts.find(doc! {}).session(&mut act.session).await?;
    let mut accounts = cursor.stream(&mut act.session);
    while let Some(AccountDocument { owner, balances, .. }) = accounts.try_next().await? {
        for (code, balance) in balances {
            audit.balance(owner.clone(), money(&code, balance)?);
        }
    }
    Ok(audit.finish())
}

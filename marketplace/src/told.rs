//! What is told of acts, and to whom. What somebody has is never told; what was paid for an item is there for all to see.
//!
//! An entry of the journal is told under its reference, once: it never changes. A deposit is an event of its user, whose
//! version is the number of the wallet's entry: one more than the wallet had.

use events::{
    Audience, Event,
    catalogue::Data,
    event::{self, Invalid},
};
use kernel::Money;
use proto::events::{Amount, ItemListed, ItemSold, MoneyDeposited, MoneyMoved, Posting};
use storage::outbox::Message;

use crate::{
    deposit::Deposit,
    item::{FIRST_VERSION, Item},
    ledger::Entry,
    purchase::Sale,
    wallet::WalletEntry,
};

/// That something is for sale.
pub(crate) fn listed(item: &Item, traceparent: Option<&str>) -> Result<Message, Invalid> {
    let listed = ItemListed {
        item_id: item.id.to_hex(),
        seller_id: item.seller_id.to_string(),
        name: item.name.clone(),
        excerpt: event::excerpt(&item.description),
        category: item.category.as_str().to_owned(),
        price: Some(amount(item.price)),
        is_premium: item.is_premium,
    };
    message(&listed.item_id, item.version, Audience::All, traceparent, &listed)
}

/// That somebody bought something, and what moved.
pub(crate) fn sold(Sale { transaction, item }: &Sale, traceparent: Option<&str>) -> Result<[Message; 2], Invalid> {
    let sold = ItemSold {
        item_id: item.id.to_hex(),
        transaction_id: transaction.id.to_hex(),
        seller_id: transaction.seller_id.to_string(),
        buyer_id: transaction.buyer_id.to_string(),
        name: item.name.clone(),
        category: item.category.as_str().to_owned(),
        price: Some(amount(transaction.price)),
        r#type: transaction.kind.as_str().to_owned(),
    };
    let moved = MoneyMoved {
        item_id: sold.item_id.clone(),
        category: sold.category.clone(),
        r#type: sold.r#type.clone(),
        ..moved(&transaction.entry(), None)
    };
    Ok([message(&sold.item_id, item.version, Audience::All, traceparent, &sold)?, act(&moved, traceparent)?])
}

/// That the wallet of `owner` was opened.
pub(crate) fn issued(entry: &Entry, owner: &str, traceparent: Option<&str>) -> Result<Message, Invalid> {
    act(&moved(entry, Some(owner)), traceparent)
}

/// That a deposit was made, as the wallet has it: to its owner alone. And what moved.
pub(crate) fn deposited(deposit: &Deposit, made: &WalletEntry) -> Result<[Message; 2], Invalid> {
    let (user, traceparent) = (deposit.owner.id, deposit.traceparent.as_deref());
    let deposited = MoneyDeposited {
        user_id: user.to_string(),
        act_id: made.reference.clone(),
        amount: Some(amount(deposit.amount)),
    };
    // A wallet has not so many entries.
    let version = made.number as i64;
    Ok([
        message(&deposited.user_id, version, Audience::user(user), traceparent, &deposited)?,
        act(&moved(&deposit.entry, None), traceparent)?,
    ])
}

/// What an entry moved; `opened` is the account that was opened by it.
fn moved(entry: &Entry, opened: Option<&str>) -> MoneyMoved {
    let posting = |posting: &crate::ledger::Posting| Posting {
        account: posting.owner.clone(),
        amount: Some(amount(posting.amount)),
        opened: opened == Some(&posting.owner),
    };
    MoneyMoved {
        act_id: entry.reference.clone(),
        kind: entry.kind.as_str().to_owned(),
        postings: entry.postings().iter().map(posting).collect(),
        ..MoneyMoved::default()
    }
}

fn act(moved: &MoneyMoved, traceparent: Option<&str>) -> Result<Message, Invalid> {
    message(&moved.act_id, FIRST_VERSION, Audience::System, traceparent, moved)
}

fn message<D: Data>(
    subject: &str,
    version: i64,
    audience: Audience,
    traceparent: Option<&str>,
    data: &D,
) -> Result<Message, Invalid> {
    Event::new(subject, version.unsigned_abs(), audience, traceparent.map(str::to_owned), data)?.into_message()
}

fn amount(money: Money) -> Amount {
    Amount { currency: money.currency.as_str().to_owned(), amount: money.decimal() }
}

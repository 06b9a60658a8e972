//! What MongoDB itself refuses to store: the embedded store's `CHECK`s, as far as they are about one document.

use bson::{Document, doc};
use kernel::Currency;

use crate::{
    item::{Category, ItemStatus},
    ledger::{EntryKind, TREASURY},
    purchase::{TransactionStatus, TransactionType},
};

/// The validator of each collection.
pub(super) fn all() -> [(&'static str, Document); 6] {
    [
        ("accounts", accounts()),
        ("health", health()),
        ("idempotency", idempotency()),
        ("items", items()),
        ("postings", postings()),
        ("transactions", transactions()),
    ]
}

fn accounts() -> Document {
    let (mut balances, mut deposited, mut no_debt) = (Document::new(), Document::new(), Document::new());
    for currency in Currency::ALL {
        deposited.insert(currency.as_str(), object(doc! { "day": text(), "sum": amount() }, &[]));
        balances.insert(currency.as_str(), doc! { "bsonType": "long" });
        no_debt.insert(format!("balances.{currency}"), doc! { "$gte": 0 });
    }
    let mut validator = schema(
        doc! {
            "_id": text(),
            "username": text(),
            "balances": object(balances, &[]),
            "postings": amount(),
            "deposited": object(deposited, &Currency::ALL.map(Currency::as_str)),
            "activeListings": amount(),
            "completedSales": amount(),
            "openedAt": time(),
        },
        &[],
    );
    // Only the treasury owes: what it owes is what it has issued.
    validator.insert("$or", [doc! { "_id": TREASURY }, no_debt]);
    validator
}

fn health() -> Document {
    schema(doc! { "_id": text(), "at": time() }, &[])
}

fn idempotency() -> Document {
    schema(
        doc! {
            "_id": id(),
            "userId": text(),
            "rpc": text(),
            "key": text(),
            "request": text(),
            "isRefusal": { "bsonType": "bool" },
            "outcome": text(),
            "createdAt": time(),
        },
        &[],
    )
}

fn items() -> Document {
    schema(
        doc! {
            "_id": id(),
            "name": text(),
            "description": text(),
            "category": word(Category::WORDS),
            "currency": currency(),
            "price": amount(),
            "priceRank": { "bsonType": "string", "pattern": "^[0-9]{27}$" },
            "sellerId": text(),
            "status": word(ItemStatus::WORDS),
            "isPremium": { "bsonType": "bool" },
            "tags": { "bsonType": "array", "items": text() },
            "createdAt": time(),
            "updatedAt": time(),
            "version": { "bsonType": "long", "minimum": 1 },
        },
        // Items of before had none.
        &["version"],
    )
}

fn postings() -> Document {
    schema(
        doc! {
            "_id": text(),
            "owner": text(),
            "number": { "bsonType": "long", "minimum": 1 },
            "kind": word(EntryKind::WORDS),
            "reference": text(),
            "currency": currency(),
            "amount": { "bsonType": "long" },
            "balance": { "bsonType": "long" },
            "createdAt": time(),
        },
        &[],
    )
}

fn transactions() -> Document {
    schema(
        doc! {
            "_id": id(),
            "itemId": id(),
            "buyerId": text(),
            "sellerId": text(),
            "currency": currency(),
            "price": amount(),
            "type": word(TransactionType::WORDS),
            "status": word(TransactionStatus::WORDS),
            "createdAt": time(),
        },
        &[],
    )
}

fn schema(fields: Document, optional: &[&str]) -> Document {
    doc! { "$jsonSchema": object(fields, optional) }
}

/// An object with these fields, all of them but the `optional` ones.
fn object(fields: Document, optional: &[&str]) -> Document {
    let required: Vec<&String> = fields.keys().filter(|field| !optional.contains(&field.as_str())).collect();
    doc! { "bsonType": "object", "required": required, "properties": fields }
}

fn id() -> Document {
    doc! { "bsonType": "objectId" }
}

fn text() -> Document {
    doc! { "bsonType": "string" }
}

fn time() -> Document {
    doc! { "bsonType": "date" }
}

/// Minor units, or a number of things.
fn amount() -> Document {
    doc! { "bsonType": "long", "minimum": 0 }
}

fn word(words: &[&str]) -> Document {
    doc! { "enum": words.to_vec() }
}

fn currency() -> Document {
    doc! { "enum": Currency::ALL.map(Currency::as_str).to_vec() }
}

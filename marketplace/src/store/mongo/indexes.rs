//! The indexes: each filter of the list has one for each order, since sorting all that match would cost by the size of
//! the market. MongoDB uses an index for an order only where directions agree on every field, `_id` included, so that
//! one and the same does not do for newest and oldest.

use bson::{Document, doc};
use mongodb::{IndexModel, options::IndexOptions};

/// The indexes of each collection. `accounts` are found by `_id` alone.
pub(super) fn all() -> [(&'static str, Vec<IndexModel>); 4] {
    [
        (
            "idempotency",
            vec![
                unique(doc! { "userId": 1, "rpc": 1, "key": 1 }),
                // Those that are old are forgotten, refusals sooner than what was done.
                plain(doc! { "isRefusal": 1, "createdAt": 1 }),
            ],
        ),
        ("items", items()),
        // No two acts count alike, whatever the isolation.
        ("postings", vec![unique(doc! { "owner": 1, "number": -1 })]),
        (
            "transactions",
            vec![
                plain(doc! { "itemId": 1, "status": 1, "createdAt": -1, "_id": -1 }),
                // Has all of the question what somebody bought, and of the answer.
                plain(doc! { "buyerId": 1, "status": 1, "itemId": 1 }),
            ],
        ),
    ]
}

fn items() -> Vec<IndexModel> {
    let orders = [
        doc! { "createdAt": -1, "_id": -1 },
        doc! { "createdAt": 1, "_id": -1 },
        doc! { "priceRank": 1, "_id": -1 },
        doc! { "priceRank": -1, "_id": -1 },
    ];
    let few_values = ["category", "status", "currency", "isPremium"];
    let alone = orders.iter().cloned().map(plain);
    let filtered = few_values.into_iter().flat_map(|field| orders.iter().map(move |order| plain(after(field, order))));
    // Of one seller or with one tag there are few enough to be sorted where it is not newest first; and an item of
    // many tags would be in every index of tags as often.
    let newest = ["sellerId", "tags"].map(|field| plain(after(field, &orders[0])));
    alone.chain(filtered).chain(newest).collect()
}

fn after(field: &str, order: &Document) -> Document {
    let mut keys = doc! { field: 1 };
    keys.extend(order.clone());
    keys
}

fn plain(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).build()
}

fn unique(keys: Document) -> IndexModel {
    IndexModel::builder().keys(keys).options(IndexOptions::builder().unique(true).build()).build()
}

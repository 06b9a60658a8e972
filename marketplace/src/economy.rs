//! What happens in the market, counted for Prometheus: listings, sales, and the money that moved.
//!
//! A replica counts what it has done itself, since it started. The ledger, not this, is the record: a sale whose replica
//! dies before it can count it is missing here.

use kernel::{Currency, Money};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::item::Category;

/// The counters.
#[derive(Debug)]
pub struct Economy {
    listed: Counter<u64>,
    purchases: Counter<u64>,
    moved: Counter<u64>,
}

impl Economy {
    /// All of them stand at 0, so that a rate sees the first act too.
    pub fn new(meter: &Meter) -> Self {
        let counter = |name, what| meter.u64_counter(name).with_description(what).build();
        let economy = Self {
            listed: counter("items_listed", "Items put up for sale"),
            purchases: counter("purchases", "Sales that went through"),
            moved: counter("money_moved_minor_units", "Money that buyers paid to sellers, in minor units"),
        };
        for category in Category::WORDS {
            economy.listed.add(0, &[KeyValue::new("category", *category)]);
        }
        for currency in Currency::ALL {
            economy.count_sales(0, Money { currency, minor_units: 0 });
        }
        economy
    }

    /// An item was put up for sale.
    pub fn listed(&self, category: Category) {
        self.listed.add(1, &[KeyValue::new("category", category.as_str())]);
    }

    /// An item was sold for `price`.
    pub fn sold(&self, price: Money) {
        self.count_sales(1, price);
    }

    fn count_sales(&self, sales: u64, price: Money) {
        let labels = [KeyValue::new("currency", price.currency.as_str())];
        self.purchases.add(sales, &labels);
        // A price is never negative.
        self.moved.add(price.minor_units.unsigned_abs(), &labels);
    }
}

#[cfg(test)]
mod tests {
    use kernel::Caller;
    use runtime::{context::Context, metrics::Metrics};
    use uuid::Uuid;

    use super::*;
    use crate::{
        config::Options,
        item::{self, NewItem},
        purchase::{self, Order, TransactionType},
        store::embedded::Embedded,
    };

    #[tokio::test]
    async fn counts_what_happened_and_a_retried_purchase_once() {
        let directory = tempfile::tempdir().expect("directory");
        let store =
            Embedded::open(&storage::DataDir::open(directory.path(), false).expect("ours"), &Options::default())
                .expect("opens");
        let metrics = Metrics::new("marketplace").expect("metrics");
        let economy = Economy::new(metrics.meter());
        let seller = Caller { id: Uuid::from_u128(1), name: "ada".into(), is_admin: false };
        let buyer = Context::unasked(Caller { id: Uuid::from_u128(2), name: "bob".into(), is_admin: false });
        let new = NewItem {
            name: "Gold bar".to_owned(),
            description: "1 kg".to_owned(),
            category: Category::Knowledge,
            price: Money { currency: Currency::Btc, minor_units: 150 },
            is_premium: false,
            tags: vec![],
        };
        let item = item::create(&store, &economy, &Context::unasked(seller), (new, None)).await.expect("creates");
        let order = |key: &str| {
            let order = Order { item_id: item.id, kind: TransactionType::Purchase };
            (order, Some(key.parse().expect("key")))
        };
        for _ in 0..3 {
            purchase::purchase(&store, &economy, &buyer, order("once")).await.expect("buys");
        }
        purchase::purchase(&store, &economy, &buyer, order("again")).await.expect_err("is sold");

        let text = metrics.render().expect("text");
        for line in [
            r#"items_listed_total{category="knowledge"} 1"#,
            r#"items_listed_total{category="asset"} 0"#,
            r#"purchases_total{currency="BTC"} 1"#,
            r#"purchases_total{currency="USD"} 0"#,
            r#"money_moved_minor_units_total{currency="BTC"} 150"#,
            r#"money_moved_minor_units_total{currency="GOLD"} 0"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nis not in\n{text}");
        }
    }
}

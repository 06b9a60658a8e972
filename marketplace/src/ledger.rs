//! The ledger: all money that is, and the watch over it.
//!
//! Every movement is an entry that debits one account and credits another by the same amount. Money comes into being as
//! a debit of the treasury, so that the balances of all accounts add up to zero in each currency at every instant.

use std::time::Duration;

use kernel::{Currency, words};
use opentelemetry::{
    KeyValue,
    metrics::{Gauge, Meter},
};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// The owner of the account that issues money; users are UUIDs, so that none can be called so.
pub const TREASURY: &str = "treasury";

/// How often the ledger is added up.
const INTERVAL: Duration = Duration::from_secs(5);

words! {
    /// Why an entry was made.
    EntryKind {
        /// The treasury opened a wallet.
        Issue = "issue",
        /// A buyer paid a seller.
        Purchase = "purchase",
    }
}

/// An account whose balance is not what its entries add up to, minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub owner: String,
    pub currency: Currency,
    pub balance: i64,
    pub entries: i128,
}

/// Records the metric `ledger_imbalance` of each currency every 5 s until `shutdown`.
pub async fn watch(store: &dyn Store, meter: &Meter, shutdown: &CancellationToken) {
    let gauge = meter
        .i64_gauge("ledger_imbalance")
        .with_description("Sum over all accounts, treasury included, in minor units; anything but 0 is a bug")
        .build();
    let forever = async {
        loop {
            record(store, &gauge).await;
            tokio::time::sleep(INTERVAL).await;
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(forever).await;
}

async fn record(store: &dyn Store, gauge: &Gauge<i64>) {
    let imbalance = match store.imbalance().await {
        Ok(imbalance) => imbalance,
        // That the store is down is for the health check to say.
        Err(error) => return tracing::debug!(%error, "the ledger could not be added up"),
    };
    for (currency, sum) in imbalance {
        if sum != 0 {
            tracing::error!(%currency, sum, "the ledger does not balance");
        }
        let sum = i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
        gauge.record(sum, &[KeyValue::new("currency", currency.code())]);
    }
}

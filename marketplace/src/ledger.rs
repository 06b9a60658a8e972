//! The ledger: all money that is, and the watch over it.
//!
//! Every movement is an entry of the journal: two or more postings, each of an amount to one account, that add up to zero
//! in each currency. Money comes into being as the treasury's debt, so that the balances of all accounts add up to zero in
//! each currency at every instant. An account's postings are numbered from 1 without a gap, and each keeps the balance
//! that it left: so a page of them is a range of numbers, and each can be held against the one before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use kernel::{Currency, Money};
use opentelemetry::{KeyValue, metrics::Meter};
pub use proto::marketplace::words::EntryKind;
use runtime::tasks::{Task, Tasks};
use storage::lease::Lease;

use crate::store::{Error, Store};

/// The owner of the account that issues money; users are UUIDs, so that none can be called so.
pub const TREASURY: &str = "treasury";

/// How often the ledger is added up.
const INTERVAL: Duration = Duration::from_secs(5);

/// A change of what one account has of one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub owner: String,
    /// Negative where the account has less afterwards.
    pub amount: Money,
}

/// An entry of the journal. Its postings add up to zero in each currency: it can be made in no other way.
#[derive(Clone, Debug)]
pub struct Entry {
    pub kind: EntryKind,
    /// What it is for. There is one entry of a kind for each.
    pub reference: String,
    pub at: DateTime<Utc>,
    postings: Vec<Posting>,
}

impl Entry {
    /// `amounts` on their way from one account to another.
    pub fn transfer(
        kind: EntryKind,
        reference: String,
        at: DateTime<Utc>,
        (from, to): (&str, &str),
        amounts: impl IntoIterator<Item = Money, IntoIter: Clone>,
    ) -> Self {
        let amounts = amounts.into_iter();
        let posting = |owner: &str, amount| Posting { owner: owner.to_owned(), amount };
        let debits = amounts
            .clone()
            .map(|Money { currency, minor_units }| posting(from, Money { currency, minor_units: -minor_units }));
        let credits = amounts.map(|amount| posting(to, amount));
        Self { kind, reference, at, postings: debits.chain(credits).collect() }
    }

    /// Those that take come first: an entry that somebody cannot pay ends before anybody is paid.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

/// Where the books are not right: there is a bug. Amounts are minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discrepancy {
    /// An account's balance is not what its postings add up to.
    Balance { owner: String, currency: Currency, balance: i64, postings: i128 },
    /// The postings of an entry do not add up to zero.
    Entry { entry: String, currency: Currency, sum: i128 },
    /// A posting has not the number that follows, or left another balance than the one before and its amount make.
    Posting { owner: String, number: u64 },
}

/// Goes through the books: all postings, each account's in the order of their numbers, then all balances.
#[derive(Debug, Default)]
pub struct Audit {
    /// By entry and currency.
    entries: HashMap<(String, Currency), i128>,
    /// By account and currency.
    sums: HashMap<(String, Currency), i128>,
    /// By account.
    numbers: HashMap<String, u64>,
    discrepancies: Vec<Discrepancy>,
}

impl Audit {
    /// The next posting of its owner, by the name of its entry.
    pub fn posting(&mut self, entry: String, number: u64, Posting { owner, amount }: Posting, balance: i64) {
        let Money { currency, minor_units } = amount;
        *self.entries.entry((entry, currency)).or_default() += i128::from(minor_units);
        let last = self.numbers.entry(owner.clone()).or_default();
        let sum = self.sums.entry((owner.clone(), currency)).or_default();
        *sum += i128::from(minor_units);
        if number != *last + 1 || i128::from(balance) != *sum {
            self.discrepancies.push(Discrepancy::Posting { owner, number });
        }
        *last = number;
    }

    /// What an account has.
    pub fn balance(&mut self, owner: String, Money { currency, minor_units: balance }: Money) {
        let postings = self.sums.get(&(owner.clone(), currency)).copied().unwrap_or_default();
        if i128::from(balance) != postings {
            self.discrepancies.push(Discrepancy::Balance { owner, currency, balance, postings });
        }
    }

    /// What is wrong: nothing unless there is a bug.
    pub fn finish(mut self) -> Vec<Discrepancy> {
        let unbalanced = self.entries.into_iter().filter(|(_, sum)| *sum != 0);
        let unbalanced = unbalanced.map(|((entry, currency), sum)| Discrepancy::Entry { entry, currency, sum });
        self.discrepancies.extend(unbalanced);
        self.discrepancies
    }
}

/// The sum over all accounts in each currency, as it was when it was last added up here.
#[derive(Clone, Debug, Default)]
struct Sums(Arc<Mutex<Vec<(Currency, i64)>>>);

/// Adds the ledger up every 5 s where this replica has the `lease`, and tells the metric `ledger_imbalance` of it: of all
/// replicas one has that metric.
pub(crate) fn watch(store: Arc<dyn Store>, meter: &Meter, tasks: &mut Tasks, lease: &Lease) {
    let sums = Sums::default();
    let (latest, is_ours) = (sums.clone(), lease.gate());
    meter
        .i64_observable_gauge("ledger_imbalance")
        .with_description("Sum over all accounts, treasury included, in minor units; anything but 0 is a bug")
        .with_callback(move |observer| {
            for (currency, sum) in latest.get().iter().filter(|_| is_ours()) {
                observer.observe(*sum, &[KeyValue::new("currency", currency.as_str())]);
            }
        })
        .build();
    let add_up = Task::every("ledger_sum", INTERVAL).only_while(lease.gate()).degrades("the ledger is not added up");
    tasks.start(add_up, (store, sums), |(store, sums)| async move { sums.renew(&*store).await });
}

impl Sums {
    async fn renew(&self, store: &dyn Store) -> Result<&'static str, Error> {
        let imbalance = store.imbalance().await?;
        for (currency, sum) in imbalance.iter().filter(|(_, sum)| *sum != 0) {
            tracing::error!(%currency, sum, "the ledger does not balance");
        }
        let balances = imbalance.iter().all(|(_, sum)| *sum == 0);
        *self.get() = imbalance.into_iter().map(|(currency, sum)| (currency, clamped(sum))).collect();
        Ok(if balances { "it balances" } else { "it does not balance" })
    }

    fn get(&self) -> MutexGuard<'_, Vec<(Currency, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clamped(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn usd(minor_units: i64) -> Money {
        Money { currency: Currency::Usd, minor_units }
    }

    #[test]
    fn a_transfer_adds_up_to_zero_in_each_currency_and_takes_first() {
        let amounts = [usd(5), Money { currency: Currency::Btc, minor_units: i64::MAX }, usd(0)];
        let entry = Entry::transfer(EntryKind::Sale, "x".to_owned(), Utc::now(), ("ada", "bob"), amounts);
        for currency in Currency::ALL {
            let of_it = entry.postings().iter().filter(|posting| posting.amount.currency == currency);
            assert_eq!(of_it.map(|posting| i128::from(posting.amount.minor_units)).sum::<i128>(), 0, "{currency}");
        }
        let owners: Vec<_> = entry.postings().iter().map(|posting| posting.owner.as_str()).collect();
        assert_eq!(owners, ["ada", "ada", "ada", "bob", "bob", "bob"]);
    }

    /// Postings of (entry, owner, number, amount, balance) against what accounts have.
    fn audit(postings: &[(&str, &str, u64, i64, i64)], balances: &[(&str, i64)]) -> Vec<Discrepancy> {
        let mut audit = Audit::default();
        for (entry, owner, number, amount, balance) in postings {
            let posting = Posting { owner: (*owner).to_owned(), amount: usd(*amount) };
            audit.posting((*entry).to_owned(), *number, posting, *balance);
        }
        for (owner, balance) in balances {
            audit.balance((*owner).to_owned(), usd(*balance));
        }
        audit.finish()
    }

    #[test]
    fn an_audit_finds_what_is_wrong_and_nothing_else() {
        let (ada, currency) = ("ada".to_owned(), Currency::Usd);
        let (issue, back) =
            ([("i", "t", 1, -9, -9), ("i", "ada", 1, 9, 9)], [("s", "ada", 2, -9, 0), ("s", "t", 2, 9, 0)]);
        assert_eq!(audit(&[issue, back].concat(), &[("t", 0), ("ada", 0)]), []);
        let wrong = Discrepancy::Balance { owner: ada.clone(), currency, balance: 8, postings: 9 };
        assert_eq!(audit(&issue, &[("t", -9), ("ada", 8)]), [wrong]);
        let wrong = Discrepancy::Entry { entry: "i".to_owned(), currency, sum: 9 };
        assert_eq!(audit(&issue[1..], &[("ada", 9)]), [wrong]);
        let gap = [issue[0], ("i", "ada", 2, 9, 9)];
        assert_eq!(audit(&gap, &[("t", -9), ("ada", 9)]), [Discrepancy::Posting { owner: ada.clone(), number: 2 }]);
        let off = [issue[0], ("i", "ada", 1, 9, 10)];
        assert_eq!(audit(&off, &[("t", -9), ("ada", 9)]), [Discrepancy::Posting { owner: ada, number: 1 }]);
    }
}

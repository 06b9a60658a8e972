//! Wallets: what a user has in each currency, and every movement that made it so.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use kernel::{Caller, Currency, Error, Money, Page, PageInfo, money::ParseMoneyError, word::UnknownWord};
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use uuid::Uuid;

use crate::{ledger::EntryKind, store::Store};

/// One amount a currency, in the order of [`Currency::ALL`]; none is negative.
///
/// As a setting it is text like `USD:1000000,EUR:1000000,GOLD:1000,BTC:20`: whole units with decimals, in any order; a
/// currency that is left out is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts([Money; Currency::ALL.len()]);

impl Amounts {
    /// Nothing of any currency.
    pub const NONE: Self = {
        const fn none(currency: Currency) -> Money {
            Money { currency, minor_units: 0 }
        }
        let [usd, eur, btc, gold] = Currency::ALL;
        Self([none(usd), none(eur), none(btc), none(gold)])
    };

    /// So many whole units of each currency; `None` where that is no amount of one of them.
    pub fn each(units: i64) -> Option<Self> {
        let mut amounts = Self::NONE;
        for amount in &mut amounts.0 {
            amount.minor_units = units.checked_mul(amount.currency.scale()).filter(|amount| *amount >= 0)?;
        }
        Some(amounts)
    }

    /// What `amount` says of each currency.
    pub fn of<E>(mut amount: impl FnMut(Currency) -> Result<Money, E>) -> Result<Self, E> {
        let mut amounts = Self::NONE;
        for entry in &mut amounts.0 {
            *entry = amount(entry.currency)?;
        }
        Ok(amounts)
    }

    pub fn get(&self, currency: Currency) -> Money {
        self.0[currency as usize]
    }

    pub fn iter(&self) -> impl Iterator<Item = Money> + Clone + '_ {
        self.0.iter().copied()
    }
}

/// Why a text is no [`Amounts`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountsError {
    #[error("must be like USD:1000000,EUR:1000000,GOLD:1000,BTC:20, an amount a currency")]
    Shape,
    #[error("{0:?}: a currency {1}")]
    Currency(String, UnknownWord),
    #[error("{0} is there twice")]
    Twice(Currency),
    #[error("{0}: an amount {1}")]
    Amount(Currency, ParseMoneyError),
}

impl FromStr for Amounts {
    type Err = ParseAmountsError;

    fn from_str(text: &str) -> Result<Self, ParseAmountsError> {
        let (mut amounts, mut seen) = (Self::NONE, Vec::new());
        for entry in text.split(',') {
            let (code, amount) = entry.split_once(':').ok_or(ParseAmountsError::Shape)?;
            let code = code.trim();
            let currency: Currency =
                code.parse().map_err(|unknown| ParseAmountsError::Currency(code.to_owned(), unknown))?;
            if seen.contains(&currency) {
                return Err(ParseAmountsError::Twice(currency));
            }
            seen.push(currency);
            let amount = Money::parse(amount.trim(), currency);
            amounts.0[currency as usize] = amount.map_err(|error| ParseAmountsError::Amount(currency, error))?;
        }
        Ok(amounts)
    }
}

/// As it is parsed.
impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, amount) in self.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}", amount.currency, amount.decimal())?;
        }
        Ok(())
    }
}

/// What a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    pub owner: Uuid,
    pub balances: Amounts,
}

/// A movement of a wallet: one posting, with the entry that it is of.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct WalletEntry {
    /// 1 is the wallet's first, and none is left out.
    pub number: u64,
    pub kind: EntryKind,
    /// Negative where the wallet has less afterwards.
    pub amount: Money,
    /// What the wallet had of the currency afterwards, minor units.
    pub balance: i64,
    /// What it was for: the transaction of a sale, the deposit's own id, the user of an issue.
    pub reference: String,
    pub at: DateTime<Utc>,
}

/// Which entries to show, newest first.
#[derive(Clone, Copy, Debug)]
pub enum EntryQuery {
    /// A page by its number.
    Page(Page),
    /// At most `limit` of those before entry `before`: what is new meanwhile moves nothing.
    Before { before: u64, limit: u32 },
}

impl EntryQuery {
    /// The number of the newest entry to show of `total`, and how many at most.
    pub fn newest(self, total: u64) -> (u64, u32) {
        match self {
            Self::Page(page) => (total.saturating_sub(page.offset().unsigned_abs()), page.limit),
            Self::Before { before, limit } => (total.min(before.saturating_sub(1)), limit),
        }
    }
}

/// A page of a wallet's entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPage {
    pub entries: Vec<WalletEntry>,
    pub info: PageInfo,
    /// [`EntryQuery::Before`] what the next page is; `None` where this is the last.
    pub next: Option<u64>,
}

/// The caller's wallet; a first look opens it.
pub async fn get(store: &dyn Store, context: &Context<Caller>) -> Result<Wallet, Error> {
    let wallet = store.wallet(&context.caller, context.traceparent());
    Ok(wallet.instrument(trace::store(store.backend(), "wallets.get")).await?)
}

/// A page of the caller's entries; a first look opens the wallet, which is its first entry.
pub async fn entries(store: &dyn Store, context: &Context<Caller>, query: EntryQuery) -> Result<EntryPage, Error> {
    let page = store.entries(&context.caller, query, context.traceparent());
    let (entries, total) = page.instrument(trace::store(store.backend(), "wallets.entries")).await?;
    let next = entries.last().map(|entry| entry.number).filter(|number| *number > 1);
    let page = match query {
        EntryQuery::Page(page) => page,
        // Where its first entry stands now.
        EntryQuery::Before { limit, .. } => {
            let newer = total - query.newest(total).0;
            Page { page: u32::try_from(newer / u64::from(limit) + 1).unwrap_or(u32::MAX), limit }
        }
    };
    Ok(EntryPage { entries, info: page.of(total), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<[i64; 4], String> {
        let amounts = text.parse::<Amounts>().map_err(|error| error.to_string())?;
        assert_eq!(amounts.to_string().parse(), Ok(amounts));
        Ok(amounts.0.map(|amount| amount.minor_units))
    }

    #[test]
    fn amounts_are_read_a_currency() {
        assert_eq!(parse("USD:1,EUR:2.5,GOLD:0.0001,BTC:0.00000001"), Ok([100, 250, 1, 1]));
        assert_eq!(parse(" BTC: 20 , USD:0"), Ok([0, 0, 2_000_000_000, 0]));
        assert_eq!(parse("USD:92233720368547758.07").map(|amounts| amounts[0]), Ok(i64::MAX));
        for (text, part) in [
            ("", "must be like USD:"),
            ("1000000", "must be like USD:"),
            ("USD:1,", "must be like USD:"),
            ("DOGE:1", "\"DOGE\": a currency must be one of USD"),
            ("USD:1,USD:1", "USD is there twice"),
            ("USD:-1", "USD: an amount must not be negative"),
            ("USD:", "USD: an amount must be a decimal number"),
            ("USD:1.005", "USD: an amount must have at most 2"),
            ("BTC:92233720369", "BTC: an amount is too large"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn whole_units_of_each_currency() {
        let amounts = |units| Amounts::each(units).map(|amounts| amounts.0.map(|amount| amount.minor_units));
        assert_eq!(amounts(3), Some([300, 300, 300_000_000, 30_000]));
        assert_eq!((amounts(0), amounts(-1)), (Some([0; 4]), None));
        assert!(amounts(92_233_720_368).is_some() && amounts(92_233_720_369).is_none());
        for (index, amount) in Amounts::NONE.iter().enumerate() {
            assert_eq!((amount.currency, amount.currency as usize), (Currency::ALL[index], index));
        }
    }

    #[test]
    fn a_page_of_entries_is_a_range_of_numbers() {
        let page = |page, limit, total| EntryQuery::Page(Page { page, limit }).newest(total);
        assert_eq!((page(1, 20, 50), page(3, 20, 50), page(4, 20, 50)), ((50, 20), (10, 20), (0, 20)));
        assert_eq!(page(u32::MAX, 100, u64::MAX).1, 100);
        let before = |before, total| EntryQuery::Before { before, limit: 5 }.newest(total);
        assert_eq!((before(51, 50), before(11, 50), before(1, 50), before(0, 50)), ((50, 5), (10, 5), (0, 5), (0, 5)));
        assert_eq!(before(99, 50), (50, 5));
    }
}

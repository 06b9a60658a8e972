//! Wallets: what a user has in each currency.

use kernel::{Caller, Currency, Error, Money};
use runtime::trace;
use tracing::Instrument;
use uuid::Uuid;

use crate::store::Store;

/// One balance a currency, in the order of [`Currency::ALL`].
pub type Balances = [Money; Currency::ALL.len()];

/// What a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    pub owner: Uuid,
    pub balances: Balances,
}

/// The balances that a wallet opens with: `units` whole units of each currency; `None` where that is no amount.
pub fn opening(units: i64) -> Option<Balances> {
    let mut balances = Currency::ALL.map(|currency| Money { currency, minor_units: 0 });
    for balance in &mut balances {
        balance.minor_units = units.checked_mul(balance.currency.scale()).filter(|amount| *amount >= 0)?;
    }
    Some(balances)
}

/// The caller's wallet; a first look opens it.
pub async fn get(store: &dyn Store, owner: Caller) -> Result<Wallet, Error> {
    Ok(store.wallet(&owner).instrument(trace::store(store.backend(), "wallets.get")).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_balances_are_whole_units_of_each_currency() {
        let amounts = |units| opening(units).map(|balances| balances.map(|balance| balance.minor_units));
        assert_eq!(amounts(3), Some([300, 300, 300_000_000, 30_000]));
        assert_eq!(amounts(0), Some([0; 4]));
        assert!(amounts(92_233_720_368).is_some());
        assert_eq!((amounts(92_233_720_369), amounts(-1)), (None, None));
    }
}

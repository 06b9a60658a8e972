//! The market: listings, purchases, deposits, wallets.

pub(super) mod deposit;
pub(super) mod entry;
pub(super) mod item;
pub(super) mod money;
pub(super) mod purchase;
pub(super) mod wallet;

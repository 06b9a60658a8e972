//! The market: listings, purchases, wallets.

pub(super) mod item;
pub(super) mod money;
pub(super) mod purchase;
pub(super) mod wallet;

//! What every part of the system means by its words: no I/O, no async, compiles in seconds.
//!
//! | to find | look in |
//! |---|---|
//! | the closed set of error kinds | [`error`] |
//! | checks of input that name the field | [`validate`], [`page`], [`tags`], [`word`] |
//! | exact money | [`money`] |
//! | how pages are bounded by bytes | [`excerpt`] |
//! | what makes a call safe to repeat | [`idempotency`] |
//! | who calls | [`caller`] |
//! | values that are not for logs | [`secret`] |
//! | the present moment, settings in seconds | [`time`] |
//! | when tokens end, whatever happens to the wall clock | [`clock`] |
//! | settings that this build cannot follow | [`not_built_in`] |
//! | how busy a store's connections are | [`pool`] |

pub mod caller;
pub mod clock;
pub mod error;
pub mod excerpt;
pub mod idempotency;
pub mod money;
pub mod not_built_in;
pub mod page;
pub mod pool;
pub mod secret;
pub mod tags;
pub mod time;
pub mod validate;
pub mod word;

pub use caller::Caller;
pub use clock::Clock;
pub use error::{Error, Kind, Violation};
pub use money::{Currency, Money};
pub use not_built_in::NotBuiltIn;
pub use page::{Page, PageInfo};
pub use pool::PoolState;
pub use secret::Secret;

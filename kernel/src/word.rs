//! Closed sets of words: enums that the contract and the stores spell out.
//!
//! Those of the contract are made from the `.proto` files (`proto::*::words`), by the same macro as those here.

use std::str::FromStr;

#[doc(hidden)]
pub use serde;

/// The text is none of these words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", .0.join(", "))]
pub struct UnknownWord(pub &'static [&'static str]);

/// A word out of a closed set, for code that is about any of them.
pub trait Word: Copy + FromStr<Err = UnknownWord> + serde::Serialize + 'static {
    /// Name of the set.
    const NAME: &str;
    /// What its words are about.
    const DOC: &str;
    /// The words, in the order of the contract.
    const WORDS: &[&str];
}

/// Defines an enum with the word of each variant, and the way back by `FromStr`; serde has it as its word.
#[macro_export]
macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them, in the order of the contract.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// Their words, in the same order.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word of the contract.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::word::Word for $name {
            const NAME: &str = stringify!($name);
            const DOC: &str = concat!($($doc),+);
            const WORDS: &[&str] = Self::WORDS;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::word::UnknownWord(Self::WORDS)),
                }
            }
        }

        impl $crate::word::serde::Serialize for $name {
            fn serialize<S: $crate::word::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::word::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::word::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <String as $crate::word::serde::Deserialize>::deserialize(deserializer)?;
                word.parse().map_err($crate::word::serde::de::Error::custom)
            }
        }
    };
}

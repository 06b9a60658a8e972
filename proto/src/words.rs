//! The words of the contract's enums and their numbers in protobuf. The enums themselves are made from the `.proto` files
//! (`proto/build.rs`): [`crate::marketplace::words`], [`crate::discourse::words`], [`crate::accounts::words`]. Each has all
//! values of its twin but UNSPECIFIED, so that a value that is added there needs no line elsewhere.

use kernel::{
    validate::Violations,
    word::{UnknownWord, Word},
};

/// A word that has a number in protobuf.
pub trait Numbered: Word {
    fn number(self) -> i32;

    /// `None` for 0, which is UNSPECIFIED, and for a number that no word has.
    fn of_number(number: i32) -> Option<Self>;
}

/// The word of a request's `number`: `None` where it is unspecified, a violation where no word has it.
pub fn read<W: Numbered>(field: &'static str, number: i32, violations: &mut Violations) -> Option<W> {
    match number {
        0 => None,
        _ => violations.ok(field, W::of_number(number).ok_or(UnknownWord(W::WORDS))),
    }
}

/// The other way; without a word it is unspecified.
pub fn number<W: Numbered>(word: Option<W>) -> i32 {
    word.map_or(0, W::number)
}

/// Ties words to their numbers. Total both ways: neither side can have one that the other lacks.
macro_rules! numbered {
    ($name:ident: $twin:ty { $($variant:ident),+ }) => {
        impl crate::words::Numbered for $name {
            fn number(self) -> i32 {
                match self { $(Self::$variant => <$twin>::$variant,)+ }.into()
            }

            fn of_number(number: i32) -> Option<Self> {
                match <$twin>::try_from(number).ok()? {
                    <$twin>::Unspecified => None,
                    $(<$twin>::$variant => Some(Self::$variant),)+
                }
            }
        }
    };
}

pub(crate) use numbered;

#[cfg(test)]
mod tests {
    use crate::marketplace::{
        self as pb,
        words::{Currency, ItemSort},
    };

    use super::*;

    #[test]
    fn the_kernels_currencies_have_the_names_of_the_contract() {
        for currency in Currency::ALL {
            let twin = pb::Currency::try_from(currency.number()).expect("a number of the contract");
            assert_eq!(twin.as_str_name(), format!("CURRENCY_{currency}"));
        }
    }

    #[test]
    fn words_follow_from_names() {
        assert_eq!(ItemSort::WORDS, ["newest", "oldest", "price", "-price"]);
        assert_eq!("-price".parse(), Ok(ItemSort::PriceDesc));
        assert_eq!(ItemSort::PriceDesc.number(), pb::ItemSort::PriceDesc as i32);
    }

    #[test]
    fn what_is_unspecified_is_no_word_and_what_is_unknown_is_said() {
        let mut violations = Violations::default();
        assert_eq!(read::<ItemSort>("sort", 0, &mut violations), None);
        assert_eq!(read("sort", 2, &mut violations), Some(ItemSort::Oldest));
        assert!(violations.into_result().is_ok());
        for unknown in [5, -1] {
            let mut violations = Violations::default();
            assert_eq!(read::<ItemSort>("sort", unknown, &mut violations), None);
            let error = violations.into_result().expect_err("refused");
            assert_eq!(error.violations()[0].message, "must be one of newest, oldest, price, -price");
        }
    }
}

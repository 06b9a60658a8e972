//! Exact money: an integer count of a currency's minor unit, parsed from decimal text and printed to it.
//!
//! No float touches an amount on the way from JSON to disk.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words;

words! {
    /// What a price is counted in: USD and EUR have 2 decimal places, GOLD 4, BTC 8.
    // The one enum of the contract that is not made from its `.proto`: that does not say what a minor unit is. The match
    // between the two is made, and total: a currency there that is missing here does not compile.
    Currency {
        Usd = "USD",
        Eur = "EUR",
        Btc = "BTC",
        Gold = "GOLD",
    }
}

impl Currency {
    /// Decimal places: ISO 4217 for USD and EUR, a satoshi for BTC, a ten-thousandth of a troy ounce for GOLD.
    pub fn decimal_places(self) -> u32 {
        match self {
            Self::Usd | Self::Eur => 2,
            Self::Gold => 4,
            Self::Btc => 8,
        }
    }

    /// Minor units in one unit.
    pub fn scale(self) -> i64 {
        10_i64.pow(self.decimal_places())
    }
}

/// An amount of one currency.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Money {
    pub currency: Currency,
    /// Count of the currency's minor unit.
    pub minor_units: i64,
}

impl Money {
    /// A price or other amount that is not negative, from JSON number text: `12`, `12.50`, `1e2`.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, ParseMoneyError> {
        let minor_units = parse_decimal(text, currency.decimal_places())?;
        Ok(Self { currency, minor_units })
    }

    /// The amount as decimal text with all of the currency's places: `12.50`.
    pub fn decimal(self) -> String {
        let sign = if self.minor_units < 0 { "-" } else { "" };
        let (magnitude, scale) = (self.minor_units.unsigned_abs(), self.currency.scale().unsigned_abs());
        let places = self.currency.decimal_places() as usize;
        format!("{sign}{}.{:0places$}", magnitude / scale, magnitude % scale)
    }
}

/// `12.50 USD`
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    #[error("must be a decimal number such as 12.50")]
    NotANumber,
    #[error("must not be negative")]
    Negative,
    #[error("must have at most {0} decimal places")]
    TooManyPlaces(u32),
    #[error("is too large")]
    TooLarge,
}

/// The value of a JSON number (RFC 8259, section 6) times `10^places`, exactly.
///
/// Zeros that say nothing are no decimal places: `1.500` has one.
pub fn parse_decimal(text: &str, places: u32) -> Result<i64, ParseMoneyError> {
    use ParseMoneyError::{Negative, NotANumber, TooLarge, TooManyPlaces};

    let (negative, number) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(NotANumber),
        None => (mantissa, ""),
    };
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty() || leading_zero || exponent_digits.is_empty() {
        return Err(NotANumber);
    }
    if !digits_only(whole) || !digits_only(fraction) || !digits_only(exponent_digits) {
        return Err(NotANumber);
    }

    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(first) = digits().position(|b| b != b'0') else { return Ok(0) };
    if negative {
        return Err(Negative);
    }
    let trailing = digits().rev().take_while(|b| *b == b'0').count();
    let significant = digits().count() - first - trailing;
    // value = significant digits * 10^power, in minor units. An exponent beyond i32 is out of any range.
    let exponent: i64 = match exponent.parse::<i32>() {
        Ok(exponent) => exponent.into(),
        Err(_) if exponent.starts_with('-') => return Err(TooManyPlaces(places)),
        Err(_) => return Err(TooLarge),
    };
    let power = exponent + i64::from(places) - fraction.len() as i64 + trailing as i64;
    if power < 0 {
        return Err(TooManyPlaces(places));
    }
    if significant as i64 + power > 19 {
        return Err(TooLarge);
    }
    let mut value: i64 = 0;
    let zeros = std::iter::repeat_n(b'0', power as usize);
    for digit in digits().skip(first).take(significant).chain(zeros) {
        value = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(digit - b'0'))).ok_or(TooLarge)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use ParseMoneyError::*;

    fn usd(text: &str) -> Result<i64, ParseMoneyError> {
        Money::parse(text, Currency::Usd).map(|m| m.minor_units)
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(usd("0.1"), Ok(10));
        assert_eq!(usd("12.50"), Ok(1250));
        assert_eq!(usd("12.5000"), Ok(1250));
        assert_eq!(usd("1e2"), Ok(10_000));
        assert_eq!(usd("1E+2"), Ok(10_000));
        assert_eq!(usd("125e-1"), Ok(1250));
        assert_eq!(usd("100000e-5"), Ok(100));
        assert_eq!(usd("0"), Ok(0));
        assert_eq!(usd("-0"), Ok(0));
        assert_eq!(usd("-0.00"), Ok(0));
        assert_eq!(usd("0e999999999999"), Ok(0));
        assert_eq!(usd("92233720368547758.07"), Ok(i64::MAX));
        assert_eq!(Money::parse("0.00000001", Currency::Btc).map(|m| m.minor_units), Ok(1));
        assert_eq!(Money::parse("92233720368.54775807", Currency::Btc).map(|m| m.minor_units), Ok(i64::MAX));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        assert_eq!(usd("92233720368547758.08"), Err(TooLarge));
        assert_eq!(usd("1e17"), Err(TooLarge));
        assert_eq!(usd("1e2147483648"), Err(TooLarge));
        assert_eq!(usd("1.999"), Err(TooManyPlaces(2)));
        assert_eq!(usd("1e-2147483649"), Err(TooManyPlaces(2)));
        assert_eq!(Money::parse("0.000000001", Currency::Btc), Err(TooManyPlaces(8)));
        assert_eq!(usd("-1"), Err(Negative));
        for text in
            ["", "-", ".", "1.", ".5", "01", "1e", "1e+", "NaN", "Infinity", "0x10", "1,5", " 1", "١", "--1", "+1"]
        {
            assert_eq!(usd(text), Err(NotANumber), "{text:?}");
        }
    }

    fn currency() -> impl Strategy<Value = Currency> {
        proptest::sample::select(Currency::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn printing_and_parsing_round_trips(currency in currency(), minor_units in 0..=i64::MAX) {
            let money = Money { currency, minor_units };
            prop_assert_eq!(Money::parse(&money.decimal(), currency), Ok(money));
        }

        #[test]
        fn an_exponent_shifts_the_point(currency in currency(), minor_units in 0..=i64::MAX) {
            let text = format!("{minor_units}e-{}", currency.decimal_places());
            prop_assert_eq!(Money::parse(&text, currency), Ok(Money { currency, minor_units }));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", currency in currency()) {
            let _ = Money::parse(&text, currency);
        }

        #[test]
        fn number_like_text_agrees_with_wide_arithmetic(
            whole in 0..=u64::MAX, fraction in "[0-9]{1,10}", currency in currency(),
        ) {
            let places = currency.decimal_places() as usize;
            let parsed = Money::parse(&format!("{whole}.{fraction}"), currency).map(|m| i128::from(m.minor_units));
            let kept = fraction.trim_end_matches('0');
            let exact = format!("{whole}{kept:0<places$}").parse::<i128>().expect("digits");
            if kept.len() > places {
                prop_assert_eq!(parsed, Err(TooManyPlaces(places as u32)));
            } else if exact > i128::from(i64::MAX) {
                prop_assert_eq!(parsed, Err(TooLarge));
            } else {
                prop_assert_eq!(parsed, Ok(exact));
            }
        }
    }
}

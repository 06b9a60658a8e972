//! Money in JSON: a decimal number out, a decimal number or string in, exact both ways.

use kernel::{Currency as Code, Money, money::ParseMoneyError, validate::Violations};
use proto::marketplace as rpc;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{OneOfBuilder, Type},
    },
};

use crate::{error::Problem, routes::words::Word};

pub(crate) type Currency = Word<Code>;

/// An amount on its way out: a JSON number with all of its currency's decimal places, such as `12.50`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount(Money);

/// As text.
impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.decimal())
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The text itself: a float on the way could not hold every amount.
        RawValue::from_string(self.0.decimal()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .description(Some("A decimal number, exact, with all places of its currency: read it as one, not as a float, where digits matter."))
            .examples([12.5])
            .into()
    }
}

impl ToSchema for Amount {}

/// The two halves of an amount of money, as JSON has them.
pub(crate) fn from_proto(money: Option<rpc::Money>) -> Result<(Amount, Currency), Problem> {
    let money = money.ok_or_else(|| Problem::internal("a service sent no money"))?;
    let currency = Currency::try_from(money.currency)?;
    Ok((Amount(Money { currency: currency.0, minor_units: money.minor_units }), currency))
}

/// A price on its way in: the text of a JSON number, or of a string that has one.
#[derive(Clone, Debug)]
pub(crate) struct Price(String);

impl Price {
    /// The exact amount, by the decimal places of `currency`.
    fn parse(&self, currency: Code) -> Result<Money, ParseMoneyError> {
        Money::parse(self.0.trim(), currency)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map(Self).map_err(D::Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(raw.to_owned())),
            _ => Err(D::Error::custom("expected a decimal number or a string that has one")),
        }
    }
}

impl PartialSchema for Price {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^(0|[1-9][0-9]*)(\.[0-9]+)?$"));
        OneOfBuilder::new()
            .item(number)
            .item(text)
            .description(Some("A decimal number or a string that has one, exact: not negative, with at most the decimal places of its currency: 2 for USD and EUR, 4 for GOLD, 8 for BTC."))
            .examples([serde_json::json!("12.50")])
            .into()
    }
}

impl ToSchema for Price {}

/// The money of a body's `price` and `currency`, which is USD where it is not said; what is wrong with them goes to
/// `violations`.
pub(crate) fn into_proto(
    price: Option<&Price>,
    currency: Option<&str>,
    violations: &mut Violations,
) -> Option<rpc::Money> {
    named("price", price, currency.unwrap_or("USD"), violations)
}

/// Likewise of an amount under the name of its field, and of a currency that is said.
pub(crate) fn named(
    field: &'static str,
    amount: Option<&Price>,
    currency: &str,
    violations: &mut Violations,
) -> Option<rpc::Money> {
    let currency = violations.ok("currency", currency.parse::<Currency>())?;
    // A missing amount is for the service to refuse, together with all else that is wrong.
    let money = violations.ok(field, amount?.parse(currency.0))?;
    Some(rpc::Money { currency: currency.into(), minor_units: money.minor_units })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(json: &str) -> Result<i64, String> {
        let price: Price = serde_json::from_str(json).map_err(|error| error.to_string())?;
        price.parse(Code::Usd).map(|money| money.minor_units).map_err(|error| error.to_string())
    }

    #[test]
    fn a_price_is_read_from_its_text() {
        for (json, minor_units) in [
            ("0.1", 10),
            ("1e2", 10_000),
            ("\"12.50\"", 1250),
            ("92233720368547758.07", i64::MAX),
            ("-0", 0),
            ("\"\\u0031\"", 100),
        ] {
            assert_eq!(price(json), Ok(minor_units), "{json}");
        }
        for json in ["null", "true", "[]", "{}", "\"\"", "\"NaN\"", "1.999", "-1", "\"twelve\""] {
            assert!(price(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_amount_is_written_as_its_text() {
        let money = rpc::Money { currency: rpc::Currency::Usd.into(), minor_units: i64::MAX };
        let (amount, _) = from_proto(Some(money)).expect("money");
        assert_eq!(serde_json::to_string(&amount).expect("json"), "92233720368547758.07");
    }
}

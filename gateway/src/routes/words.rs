//! Enumerations: a word in JSON, a number in protobuf.

use std::str::FromStr;

use kernel::word::UnknownWord;
use proto::words::Numbered;
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::error::Problem;

/// A word of the contract on its way in or out. Routes name theirs by an alias: so the description has the word's name.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Word<W>(pub W);

impl<W: Numbered> FromStr for Word<W> {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        word.parse().map(Self)
    }
}

impl<W: Numbered> From<Word<W>> for i32 {
    fn from(Word(word): Word<W>) -> Self {
        word.number()
    }
}

/// From its number in protobuf; a number without a word is an error of the service's.
impl<W: Numbered> TryFrom<i32> for Word<W> {
    type Error = Problem;

    fn try_from(number: i32) -> Result<Self, Problem> {
        let unknown = || Problem::internal(format_args!("a service sent the unknown {} {number}", W::NAME));
        W::of_number(number).map(Self).ok_or_else(unknown)
    }
}

impl<W: Numbered> PartialSchema for Word<W> {
    fn schema() -> RefOr<Schema> {
        let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(W::WORDS.iter().copied()));
        words.description(Some(W::DOC.trim())).into()
    }
}

impl<W: Numbered> ToSchema for Word<W> {
    fn name() -> std::borrow::Cow<'static, str> {
        W::NAME.into()
    }
}

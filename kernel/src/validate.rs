//! Checks of input: each collects what is wrong under the field's name, so that a caller learns everything at once.

use std::{borrow::Cow, ops::RangeInclusive};

use crate::{Error, Violation};

/// Collects the violations of one request.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes that `field` broke a rule; `message` says what would be right.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.0.push(Violation { field: field.into(), message: message.into() });
    }

    /// `text` trimmed, which must then have a number of characters (Unicode scalar values) in `length`.
    /// A lower bound of 1 or more makes the field required.
    pub fn text(&mut self, field: impl Into<Cow<'static, str>>, text: &str, length: RangeInclusive<usize>) -> String {
        let text = text.trim();
        let (min, max) = length.into_inner();
        if text.is_empty() && min > 0 {
            self.add(field, "is required");
        } else if text.chars().nth(max).is_some() || text.chars().take(min).count() < min {
            self.add(field, format!("must have {min} to {max} characters"));
        } else if text.contains('\0') {
            // PostgreSQL cannot store it; refused everywhere so that all stores behave alike.
            self.add(field, "must not contain the NUL character");
        } else if text.contains(reorders) {
            self.add(
                field,
                "must not contain characters that change the direction of text (U+202A to U+202E, U+2066 to U+2069)",
            );
        } else {
            return text.to_owned();
        }
        String::new()
    }

    /// `value`, or a violation and `None`.
    pub fn ok<T, E: std::fmt::Display>(
        &mut self,
        field: impl Into<Cow<'static, str>>,
        value: Result<T, E>,
    ) -> Option<T> {
        value.map_err(|error| self.add(field, error.to_string())).ok()
    }

    /// `validation_failed` where anything was noted.
    pub fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}

/// Whether a character embeds, overrides or isolates the direction of the text after it: `gpj.exe` reads `exe.jpg` behind
/// an override, and one that is not closed turns around what a page shows next (Unicode UAX #9, 2.1 to 2.4, and UTS #55).
///
/// The marks U+200E, U+200F and U+061C and the joiners U+200C and U+200D are let through: they act on their neighbours
/// alone, and Hebrew, Arabic, Persian, Indic scripts and emoji are not written rightly without them.
fn reorders(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(check: impl FnOnce(&mut Violations)) -> Vec<String> {
        let mut violations = Violations::default();
        check(&mut violations);
        violations.0.into_iter().map(|v| v.message.into_owned()).collect()
    }

    #[test]
    fn text_is_trimmed_and_counted_in_characters() {
        assert!(messages(|v| assert_eq!(v.text("f", "  ä\n", 1..=1), "ä")).is_empty());
        assert!(messages(|v| assert_eq!(v.text("f", " ", 0..=1), "")).is_empty());
        assert_eq!(messages(|v| drop(v.text("f", " \t", 1..=9))), ["is required"]);
        assert_eq!(messages(|v| drop(v.text("f", "ää", 1..=1))), ["must have 1 to 1 characters"]);
        assert_eq!(messages(|v| drop(v.text("f", "a\0b", 1..=9))), ["must not contain the NUL character"]);
    }

    #[test]
    fn text_may_be_of_any_script_but_not_turn_what_is_around_it() {
        for (first, last) in [('\u{202A}', '\u{202E}'), ('\u{2066}', '\u{2069}')] {
            for bad in first..=last {
                let text = format!("invoice{bad}fdp.exe");
                let refused = messages(|v| drop(v.text("f", &text, 1..=99)));
                assert!(refused[0].starts_with("must not contain characters that change the direction"), "{bad:?}");
            }
        }
        let neighbours = ["\u{2029}a", "a\u{202F}a", "a\u{2065}a", "a\u{206A}a"];
        let written = [
            "\u{5E9}\u{5DC}\u{5D5}\u{5DD}\u{200F}!",
            "\u{645}\u{6CC}\u{200C}\u{62E}",
            "👩\u{200D}🚀",
            "a\u{200E}b",
            "\u{61C}a",
        ];
        for good in neighbours.iter().chain(&written) {
            assert!(messages(|v| assert_eq!(v.text("f", good, 1..=99), good.trim())).is_empty(), "{good:?}");
        }
    }
}

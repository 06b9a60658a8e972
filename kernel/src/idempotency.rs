//! What names an act, so that it is done once however often it is asked for.

use std::str::FromStr;

/// Names one act of one user across retries: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(String);

/// The text is no idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 visible ASCII characters")]
pub struct InvalidKey;

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let valid = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        valid.then(|| Self(text.to_owned())).ok_or(InvalidKey)
    }
}

impl Key {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_1_to_255_visible_ascii_characters() {
        for valid in ["!", "~", "8e03978e-40d5-43e8-bc93-6894a57f9324", &"k".repeat(255)] {
            assert_eq!(valid.parse::<Key>().expect("valid").0, valid);
        }
        for invalid in ["", " ", "a b", "a\n", "\u{7f}", "ä", &"k".repeat(256)] {
            assert_eq!(invalid.parse::<Key>(), Err(InvalidKey), "{invalid:?}");
        }
    }
}

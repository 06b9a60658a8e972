//! Values that must not end up in logs.

use std::fmt;

/// A text such as a key or the URL of a database, which may hold a password: its `Debug` does not tell it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

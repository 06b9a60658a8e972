//! Who calls. Identity is a parameter: what needs a user takes a [`Caller`], and cannot forget the check.

use uuid::Uuid;

/// The user in whose name a call acts, as the token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub id: Uuid,
    pub name: String,
    /// Whether the token says so.
    pub is_admin: bool,
}

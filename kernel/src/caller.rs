//! Who calls. Identity is a parameter: what needs a user takes a [`Caller`], and cannot forget the check.

use uuid::Uuid;

/// The user in whose name a call acts, as vouched for by the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub id: Uuid,
    pub name: String,
}

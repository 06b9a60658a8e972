//! Ids of items and transactions: ObjectIds on every store.

use std::sync::{Mutex, PoisonError};

use bson::oid::ObjectId;
use kernel::validate::Violations;

/// A new id, greater than every id that this process made before.
///
/// `ObjectId::new` alone is not: within a second its counter, which starts anywhere, may wrap, and clocks are set back.
pub(crate) fn next() -> ObjectId {
    static LAST: Mutex<ObjectId> = Mutex::new(ObjectId::from_bytes([0; 12]));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    *last = ObjectId::new().max(successor(*last));
    *last
}

/// The id that a caller named in `field`; 24 hex digits or a violation.
pub(crate) fn parse(field: &'static str, text: &str, violations: &mut Violations) -> Option<ObjectId> {
    violations.ok(field, ObjectId::parse_str(text).map_err(|_| "must be 24 hex digits"))
}

/// The next id as a number.
fn successor(id: ObjectId) -> ObjectId {
    let mut bytes = id.bytes();
    for byte in bytes.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    ObjectId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_also_where_the_counter_wraps() {
        let ids: Vec<_> = (0..1000).map(|_| next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let end_of_counter = ObjectId::from_bytes([1, 0, 0, 0, 0, 0, 0, 0, 7, 255, 255, 255]);
        assert_eq!(successor(end_of_counter).bytes(), [1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0]);
    }

    #[test]
    fn ids_are_24_hex_digits() {
        let valid = |text: &str| {
            let mut violations = Violations::default();
            let id = parse("id", text, &mut violations);
            assert_eq!(id.is_some(), violations.into_result().is_ok());
            id.is_some()
        };
        assert!(valid("0123456789abcdef01234567") && valid("0123456789ABCDEF01234567"));
        for text in ["", "0123456789abcdef0123456", "0123456789abcdef012345678", "0123456789abcdef0123456g"] {
            assert!(!valid(text), "{text:?}");
        }
    }
}

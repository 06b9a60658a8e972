//! Who a call says is calling: metadata in, [`Caller`] out.

use kernel::{Caller, Error, Kind};
use tonic::metadata::MetadataMap;
use uuid::Uuid;

/// Metadata key of the caller's id.
pub const USER_ID: &str = "x-user-id";
/// Metadata key of the caller's name.
pub const USER_NAME: &str = "x-user-name";

/// The caller of a call that acts for somebody; UNAUTHENTICATED `missing_identity` where there is none.
pub fn required(metadata: &MetadataMap) -> Result<Caller, Error> {
    optional(metadata)?
        .ok_or_else(|| unauthenticated("missing_identity", "metadata x-user-id and x-user-name are required"))
}

/// The caller where there is one; UNAUTHENTICATED `invalid_identity` where the metadata makes no sense.
pub fn optional(metadata: &MetadataMap) -> Result<Option<Caller>, Error> {
    let (Some(id), Some(name)) = (metadata.get(USER_ID), metadata.get(USER_NAME)) else {
        return Ok(None);
    };
    let id = id.to_str().ok().and_then(|id| Uuid::try_parse(id).ok());
    let name = name.to_str().ok().filter(|name| (1..=64).contains(&name.len()));
    match (id, name) {
        (Some(id), Some(name)) => Ok(Some(Caller { id, name: name.to_owned() })),
        _ => Err(unauthenticated(
            "invalid_identity",
            "x-user-id must be a UUID and x-user-name 1 to 64 visible ASCII characters",
        )),
    }
}

fn unauthenticated(reason: &'static str, message: &'static str) -> Error {
    Error::new(Kind::Unauthenticated, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(id: &str, name: &str) -> MetadataMap {
        let mut map = MetadataMap::new();
        map.insert(USER_ID, id.parse().expect("ascii"));
        map.insert(USER_NAME, name.parse().expect("ascii"));
        map
    }

    #[test]
    fn identity_is_read_or_refused() {
        let id = Uuid::new_v4();
        let caller = required(&metadata(&id.to_string(), "ada")).expect("caller");
        assert_eq!(caller, Caller { id, name: "ada".to_owned() });
        let missing = required(&MetadataMap::new()).expect_err("nobody");
        assert_eq!((missing.kind(), missing.reason()), (Kind::Unauthenticated, "missing_identity"));
        for (id, name) in [("treasury", "ada"), (id.to_string().as_str(), "")] {
            let invalid = optional(&metadata(id, name)).expect_err("nonsense");
            assert_eq!(invalid.reason(), "invalid_identity");
        }
    }
}

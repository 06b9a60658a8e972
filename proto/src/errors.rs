//! Every code that an error of the system can have: a stable word, its kind, and what it means. `docs/errors.md` has them
//! as clients meet them; which route can answer with which, the route says.
//!
//! The kind decides the gRPC status and by that the HTTP status (`runtime::status`), but for the codes that name another
//! HTTP status here. The meaning is the detail as it may read: an error that has nothing to add says just that.

use kernel::{Kind, error::Code};

pub use kernel::error::{INTERNAL, UNAVAILABLE, VALIDATION_FAILED};

/// Defines the codes of each kind, and the list of all.
macro_rules! catalogue {
    ($($kind:ident { $($name:ident = $word:literal $(as $http:literal)?: $meaning:literal,)+ })+) => {
        $($(
            #[doc = $meaning]
            pub const $name: &Code = &Code::new(Kind::$kind, $word, $meaning)$(.with_http($http))?;
            const _: () = assert!($word.eq_ignore_ascii_case(stringify!($name)), "a code has the name of its constant");
        )+)+

        /// All of them: the kernel's own, then each kind's.
        pub const ALL: &[&Code] = &[VALIDATION_FAILED, INTERNAL, UNAVAILABLE, $($($name,)+)+];
    };
}

catalogue! {
    InvalidArgument {
        MALFORMED_JSON = "malformed_json": "the body is no JSON: EOF while parsing an object at line 1 column 1",
        UNREADABLE_BODY = "unreadable_body": "the body broke off",
        AMBIGUOUS_REQUEST = "ambiguous_request": "there must be at most one Authorization header",
        METHOD_NOT_ALLOWED = "method_not_allowed" as 405: "this route has other methods, see Allow",
        BODY_TOO_LARGE = "body_too_large" as 413: "the body must have at most 65536 bytes",
        UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type" as 415: "the Content-Type must be application/json",
        INVALID_BODY = "invalid_body" as 422: "the body has not the right shape",
    }
    Unauthenticated {
        MISSING_TOKEN = "missing_token": "the header Authorization: Bearer <token> is required",
        INVALID_TOKEN = "invalid_token": "the token is not valid",
        INVALID_TICKET = "invalid_ticket": "the ticket was used already, or is older than 60 seconds: get another one",
        TOKEN_EXPIRED = "token_expired": "the token has expired, log in again",
        INVALID_CREDENTIALS = "invalid_credentials": "the username or the password is wrong",
        UNAUTHENTICATED = "unauthenticated": "a status without a code of ours",
    }
    PermissionDenied {
        CHANNEL_ACCESS_DENIED = "channel_access_denied": "this channel is not open to you",
        PIN_DENIED = "pin_denied": "only the creator of a channel may pin posts",
        AUTHORS_ONLY = "authors_only":
            "only its author may change a post, and only its author or the creator of its channel delete it",
        CREATORS_ONLY = "creators_only": "only its creator may change a channel, delete it, and choose its members",
        ACCOUNT_DEACTIVATED = "account_deactivated": "this account is deactivated",
        NOT_YOURS = "not_yours": "this account is not yours",
        ADMINS_ONLY = "admins_only": "only admins may do this",
        PERMISSION_DENIED = "permission_denied": "a status without a code of ours",
    }
    NotFound {
        ITEM_NOT_FOUND = "item_not_found": "there is no such item",
        CHANNEL_NOT_FOUND = "channel_not_found": "there is no such channel",
        POST_NOT_FOUND = "post_not_found": "there is no such post",
        MEMBER_NOT_FOUND = "member_not_found": "this user is no member of the channel",
        USER_NOT_FOUND = "user_not_found": "there is no such user",
        ROUTE_NOT_FOUND = "route_not_found": "there is nothing at /nowhere; see /docs",
        NOT_FOUND = "not_found": "a status without a code of ours",
    }
    AlreadyExists {
        USERNAME_TAKEN = "username_taken": "the username is taken",
        EMAIL_TAKEN = "email_taken": "the e-mail address is taken",
        CONFLICT = "conflict": "a status without a code of ours",
    }
    FailedPrecondition {
        LAST_ADMIN = "last_admin": "the last admin must stay one",
        CHANGED_MEANWHILE = "changed_meanwhile": "somebody else changed the account at the same moment, try again",
        ITEM_NOT_AVAILABLE = "item_not_available": "the item is not available any more",
        OWN_ITEM = "own_item": "sellers cannot buy what they sell",
        INSUFFICIENT_FUNDS = "insufficient_funds": "the price is 2.50 EUR, the balance is 1.00 EUR: 1.50 EUR is missing",
        DEPOSIT_LIMIT_EXCEEDED = "deposit_limit_exceeded":
            "at most 10000.00 USD a day (UTC) can be deposited, and 250.00 USD of it is left",
        MEMBERSHIP_NOT_NEEDED = "membership_not_needed":
            "the creator of a channel, and in a public one everybody, needs no membership",
        TOO_MANY_MEMBERS = "too_many_members": "a channel has at most 500 members",
        // RFC 9110, section 13.1.1, and RFC 6585, section 3.
        VERSION_CONFLICT = "version_conflict" as 412: "it has changed since you read it: read it again, and decide anew",
        PRECONDITION_REQUIRED = "precondition_required" as 428:
            "the header If-Match is required: the ETag of what you want to change, or *",
        // 422, as the IETF's Idempotency-Key draft asks (section 2.7).
        IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused" as 422:
            "the idempotency key was used for another request before",
    }
    ResourceExhausted {
        RATE_LIMITED = "rate_limited": "too many calls, slow down",
        TOO_MANY_AT_ONCE = "too_many_at_once": "you have 128 calls under way: wait for their answers, and read them",
        TOO_MANY_LIVE = "too_many_live": "you have 16 live streams open: close one of them",
        TREASURY_EXHAUSTED = "treasury_exhausted": "the treasury has no USD left to open a wallet with",
        RESOURCE_EXHAUSTED = "resource_exhausted": "a status without a code of ours",
    }
    Internal {
        UNIMPLEMENTED = "unimplemented" as 501: "a status without a code of ours",
    }
    Unavailable {
        OVERLOADED = "overloaded": "too many requests at once, try again",
        OUTCOME_UNKNOWN = "outcome_unknown":
            "the connection broke: whether this took effect is not known, look before you retry",
    }
    DeadlineExceeded {
        REQUEST_TIMEOUT = "request_timeout" as 408: "the request took too long to arrive",
        DEADLINE_EXCEEDED = "deadline_exceeded": "the service took too long",
    }
}

/// The code with this word.
pub fn find(word: &str) -> Option<&'static Code> {
    ALL.iter().find(|code| code.as_str() == word).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_code_is_there_once() {
        let words: HashSet<_> = ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ALL.len());
    }

    /// In a comment, codes stand behind their gRPC status: NOT_FOUND `item_not_found`, `channel_not_found`.
    #[test]
    fn the_protos_name_codes_of_the_list_each_behind_its_status() {
        let files = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).expect("descriptors").file;
        let ours = files.iter().filter(|file| file.package().starts_with("capsim."));
        let places = ours.flat_map(|file| file.source_code_info.iter().flat_map(|info| &info.location));
        let mut named = 0;
        for comment in places.map(|place| place.leading_comments()) {
            let mut kind = None;
            for word in comment.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ';', ':'])) {
                let status = ALL.iter().find(|code| screaming(code.kind()) == word);
                let code = word.strip_prefix('`').and_then(|word| word.strip_suffix('`'));
                match (status, code, kind) {
                    (Some(status), ..) => kind = Some(status.kind()),
                    (None, Some(code), Some(kind)) => {
                        assert_eq!(find(code).map(|code| code.kind()), Some(kind), "{code}");
                        named += 1;
                    }
                    // A code ends its list, unless a comma goes on.
                    _ => kind = None,
                }
            }
        }
        assert!(named > 15, "{named}");
    }

    fn screaming(kind: Kind) -> String {
        let name = format!("{kind:?}");
        let parts = name.char_indices().map(|(place, letter)| match letter.is_ascii_uppercase() && place > 0 {
            true => format!("_{letter}"),
            false => letter.to_ascii_uppercase().to_string(),
        });
        parts.collect()
    }
}

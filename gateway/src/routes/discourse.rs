//! The argument: channels, their members, and posts.

pub(super) mod channel;
pub(super) mod member;
pub(super) mod post;
pub(super) mod search;

//! The argument: channels and posts.

pub(super) mod channel;
pub(super) mod post;

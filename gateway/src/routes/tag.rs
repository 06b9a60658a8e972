//! Tags of what is made.

use serde::Deserialize;
use utoipa::ToSchema;

/// A word to find something by: 1 to 50 characters.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(min_length = 1, max_length = 50, pattern = r"\S", example = "gold")]
pub(crate) struct NewTag(String);

/// Tags as services take them.
pub(crate) fn texts(tags: Vec<NewTag>) -> Vec<String> {
    tags.into_iter().map(|NewTag(tag)| tag).collect()
}

//! Posts wherever they are: one by its id, and those that are looked for.

use kernel::{Caller, Error, Page, PageInfo};
use runtime::{context::Context, trace};
use tracing::Instrument;
use uuid::Uuid;

use super::{Post, PostError};
use crate::{
    channel::access::{self, Found},
    store::Store,
    topic::Topic,
};

/// Characters of a text to look for at most.
pub const LONGEST_QUERY: usize = 200;

/// Which posts to list, of those that the viewer may read. What is `None` matches all.
#[derive(Clone, Debug, Default)]
pub struct PostFilter {
    pub author: Option<Uuid>,
    pub topic: Option<Topic>,
    pub channel_id: Option<i64>,
    /// To the letter.
    pub tag: Option<String>,
    pub words: Option<Words>,
}

/// Words that a post must have, all of them: in its title or its content, without regard to case.
///
/// A store's index reads texts as this does: a word is a run of letters and digits. So whatever a query has besides, such
/// as a quote or an operator of the store's own language, is nothing but what stands between words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    pub fn of(query: &str) -> Self {
        let words = query.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        Self(words.map(str::to_lowercase).collect())
    }

    /// None match a post: what was looked for has no word in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each between quotes, in which there are none, with spaces between them.
    pub fn quoted(&self) -> String {
        self.0.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ")
    }

    /// With spaces between them.
    pub fn spaced(&self) -> String {
        self.0.join(" ")
    }
}

/// A page of posts of many channels.
#[derive(Debug)]
pub struct PostList {
    pub posts: Vec<Post>,
    pub info: PageInfo,
}

/// The post, where `viewer` may read its channel.
pub fn show(found: Option<(Post, Found)>, viewer: Option<Uuid>) -> Result<Post, PostError> {
    let (post, found) = found.ok_or(PostError::NotFound)?;
    access::enter(Some(found), viewer)?;
    Ok(post)
}

/// A post; `post_not_found`, `channel_access_denied`.
pub async fn read(store: &dyn Store, context: &Context<Option<Caller>>, id: i64) -> Result<Post, Error> {
    Ok(store
        .post(context.caller.as_ref().map(|viewer| viewer.id), id)
        .instrument(trace::store(store.backend(), "posts.get"))
        .await??)
}

/// A page of the posts that the caller may read, newest first.
pub async fn list(
    store: &dyn Store,
    context: &Context<Option<Caller>>,
    (filter, page): (PostFilter, Page),
) -> Result<PostList, Error> {
    if filter.words.as_ref().is_some_and(Words::is_empty) {
        return Ok(PostList { posts: Vec::new(), info: page.of(0) });
    }
    let (posts, total) = store
        .list_posts(context.caller.as_ref().map(|viewer| viewer.id), &filter, page)
        .instrument(trace::store(store.backend(), "posts.list"))
        .await?;
    Ok(PostList { posts, info: page.of(total) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_and_nothing_else_is_left() {
        let words = Words::of("\"Gold-bugs' (AND) äpfel* NEAR/2 \u{1f980} _x_");
        assert_eq!(words.spaced(), "gold bugs and äpfel near 2 x");
        assert_eq!(words.quoted(), r#""gold" "bugs" "and" "äpfel" "near" "2" "x""#);
        for nonsense in ["", "\"", "'; --", "(((", "* - : ^ \u{1f980}"] {
            assert!(Words::of(nonsense).is_empty(), "{nonsense}");
        }
    }
}

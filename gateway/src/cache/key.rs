//! What a cached answer is known by, and what it depends on.

use std::fmt::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Something that cached answers depend on, and writes change. Each route module says which there are of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    kind: &'static str,
    one: One,
}

/// Which one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum One {
    All,
    Number(i64),
    Uuid(Uuid),
    Text(Box<str>),
}

impl Tag {
    /// All of a kind: which there are.
    pub const fn all(kind: &'static str) -> Self {
        Self { kind, one: One::All }
    }

    /// One that a number tells.
    pub const fn number(kind: &'static str, number: i64) -> Self {
        Self { kind, one: One::Number(number) }
    }

    /// One that a UUID tells.
    pub const fn uuid(kind: &'static str, id: Uuid) -> Self {
        Self { kind, one: One::Uuid(id) }
    }

    /// One that a text tells, of which there must be one way to write it.
    pub fn text(kind: &'static str, id: &str) -> Self {
        Self { kind, one: One::Text(id.into()) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        match &self.one {
            One::All => Ok(()),
            One::Number(number) => write!(f, ":{number}"),
            One::Uuid(id) => write!(f, ":{id}"),
            One::Text(id) => write!(f, ":{id}"),
        }
    }
}

/// Whom an answer may be shown to.
#[derive(Clone, Copy, Debug)]
pub enum Viewer {
    /// It is the same for everybody.
    Anyone,
    /// It depends on who asks; nobody else may see it.
    Only(Uuid),
}

/// The key of a cached answer: `cache:{method}:{path}:{query_hash}`, and the viewer where there is one.
#[derive(Clone, Debug)]
pub struct Key {
    text: String,
    tags: Box<[Tag]>,
    route: &'static str,
}

impl Key {
    /// `path` and `query` must come from parsed values, so that every way to write a request has one key.
    ///
    /// `route` is the route's template, for metrics.
    pub fn get(route: &'static str, path: &str, query: &impl Serialize, viewer: Viewer, tags: Vec<Tag>) -> Self {
        // Structs of plain values always serialise; and if one did not, the path alone would be too coarse a key.
        let query = serde_urlencoded::to_string(query).unwrap_or_else(|error| unreachable!("query: {error}"));
        let digest = Sha256::digest(query.as_bytes());
        let mut text = String::with_capacity(path.len() + 96);
        text.push_str("cache:GET:");
        text.push_str(path);
        text.push(':');
        // The half of it is enough to tell queries apart.
        let hash = digest.first_chunk().map_or(0, |half| u128::from_be_bytes(*half));
        let _ = write!(text, "{hash:032x}");
        if let Viewer::Only(user) = viewer {
            let _ = write!(text, ":{user}");
        }
        Self { text, tags: tags.into_boxed_slice(), route }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the answer depends on.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The route's template.
    pub fn route(&self) -> &'static str {
        self.route
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Query {
        page: Option<u32>,
        tag: Option<&'static str>,
    }

    fn key(path: &str, query: &Query, viewer: Viewer) -> String {
        Key::get("/route", path, query, viewer, vec![]).text
    }

    #[test]
    fn what_differs_in_path_query_or_viewer_has_another_key() {
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let plain = Query { page: None, tag: None };
        let keys = [
            key("/a", &plain, Viewer::Anyone),
            key("/b", &plain, Viewer::Anyone),
            key("/a", &Query { page: Some(1), tag: None }, Viewer::Anyone),
            key("/a", &Query { page: None, tag: Some("1") }, Viewer::Anyone),
            key("/a", &plain, Viewer::Only(ada)),
            key("/a", &plain, Viewer::Only(bob)),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "{keys:?}");
        assert_eq!(keys[0], key("/a", &plain, Viewer::Anyone));
        assert!(keys[0].starts_with("cache:GET:/a:"));
    }
}

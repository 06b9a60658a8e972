//! What the views keep of an event.

use chrono::{DateTime, Utc};
use events::{Audience, Event};
use kernel::excerpt::{self, PAGE_BYTES};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};
use uuid::Uuid;

/// An event as it is shown. The same JSON text, however often it is made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Entry {
    /// Its number among all that is for all; `None` where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    pub id: Uuid,
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub subject: String,
    pub version: u64,
    pub time: DateTime<Utc>,
    pub audience: Audience,
    /// The channel that it is said in, or that it is about: who may read that one may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<i64>,
    pub data: Box<RawValue>,
    /// The texts in its data are cut.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_excerpt: bool,
}

/// The data of an entry, bytes of JSON at most: so a page of a hundred is bounded too.
pub const DATA_BYTES: usize = PAGE_BYTES / 100 - FRAME;
/// What stands around it, in JSON: ids, type, time and names.
const FRAME: usize = 500;
/// How long texts may be where the data is too long, bytes of JSON: the first that makes it fit. Ids are shorter than all.
const LENGTHS: [usize; 4] = [400, 200, 80, 40];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The data where it is short enough, else with its texts cut.
fn bounded(data: &RawValue) -> (Box<RawValue>, bool) {
    if data.get().len() <= DATA_BYTES {
        return (data.to_owned(), false);
    }
    let fits = |most: &usize| {
        let mut value = serde_json::from_str(data.get()).ok()?;
        cut(&mut value, *most);
        to_raw_value(&value).ok().filter(|data| data.get().len() <= DATA_BYTES)
    };
    (LENGTHS.iter().find_map(fits).unwrap_or_else(|| RawValue::from_string("{}".to_owned()).unwrap_or_default()), true)
}

fn cut(value: &mut Value, most: usize) {
    match value {
        Value::String(text) => excerpt::truncate(text, most),
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, most)),
        Value::Object(fields) => fields.values_mut().for_each(|value| cut(value, most)),
        _ => {}
    }
}

impl Entry {
    /// Of an event, with its number where it is for all.
    pub(crate) fn new(event: &Event, channel: Option<i64>, number: Option<u64>) -> Self {
        let (data, is_excerpt) = bounded(&event.data);
        Self {
            number,
            id: event.id,
            kind: event.kind.clone(),
            source: event.source.clone(),
            subject: event.subject.clone(),
            version: event.version,
            time: event.time,
            audience: event.audience.clone(),
            channel,
            data,
            is_excerpt,
        }
    }
}

/// An entry, and its number in the list that it was found in.
#[derive(Clone, Debug)]
pub struct Listed {
    pub number: u64,
    pub entry: Entry,
}

#[cfg(test)]
mod tests {
    use proto::events::PostCreated;

    use super::*;

    fn entry(data: &PostCreated) -> Entry {
        Entry::new(
            &Event::new(i64::MAX, 1, Audience::All, None, data).expect("for all"),
            Some(i64::MAX),
            Some(u64::MAX),
        )
    }

    #[test]
    fn a_hundred_of_the_longest_fit_into_a_page() {
        let longest = PostCreated {
            post_id: i64::MAX,
            channel_id: i64::MAX,
            author_id: Uuid::max().to_string(),
            title: "\u{1}".repeat(500),
            excerpt: "🦀".repeat(200),
            topic: "philosophical".to_owned(),
            is_pinned: true,
            tags: vec!["\u{1}".repeat(100); 20],
        };
        let cut = entry(&longest);
        let json = serde_json::to_string(&cut).expect("JSON");
        assert!(cut.is_excerpt && json.len() <= PAGE_BYTES / 100, "{}", json.len());
        let data: PostCreated = serde_json::from_str(cut.data.get()).expect("still what it was");
        assert!(data.title.ends_with('…') && data.author_id == longest.author_id && data.tags.len() == 20);
        let whole = entry(&PostCreated { excerpt: "🦀".repeat(200), ..PostCreated::default() });
        assert!(!whole.is_excerpt && !serde_json::to_string(&whole).expect("JSON").contains("is_excerpt"));
    }
}

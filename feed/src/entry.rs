//! What the views keep of an event.

use chrono::{DateTime, Utc};
use events::{Audience, Event};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
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
}

impl Entry {
    /// Of an event, with its number where it is for all.
    pub(crate) fn new(event: &Event, channel: Option<i64>, number: Option<u64>) -> Self {
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
            data: event.data.clone(),
        }
    }
}

/// An entry, and its number in the list that it was found in.
#[derive(Clone, Debug)]
pub struct Listed {
    pub number: u64,
    pub entry: Entry,
}

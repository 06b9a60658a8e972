//! What happened: a CloudEvent 1.0, in structured JSON.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>. `version`, `sequence`, `traceparent` and
//! `audience` are extensions of it, of which its attributes can be no lists and no numbers of more than 32 bits: so they are
//! strings.

use chrono::{DateTime, Utc};
use kernel::time;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    audience::Audience,
    catalogue::{Data, Kind},
};

/// The media type of an event's JSON.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// What happened to one thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Event {
    specversion: SpecVersion,
    /// UUIDv7: of the event, the same however often it is sent.
    pub id: Uuid,
    /// Which service tells it: `/accounts`, `/marketplace`, `/discourse`, `/orders`.
    pub source: String,
    /// What kind of thing happened, such as `item.sold`. One that [`Kind`] does not know is of a later version.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the thing that it happened to.
    pub subject: String,
    /// When it happened, by the clock of who tells it.
    pub time: DateTime<Utc>,
    /// Of the thing, after what happened: one more than before. The events of a subject are told in this order.
    #[serde(with = "decimal")]
    pub version: u64,
    /// Which event of its source it is: 1 is the first, and none is left out. `None` until the relay has given it one.
    #[serde(default, with = "optional_decimal", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// W3C Trace Context of the request that caused it, where it is traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who may see it.
    pub audience: Audience,
    /// What else there is to tell, as its type has it: a message of [`proto::events`], in protobuf's JSON mapping.
    pub data: Box<RawValue>,
}

/// Why there can be no such event.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// It would tell somebody what is not for them.
    #[error("{kind} is never for {audience}")]
    Audience { kind: &'static str, audience: Audience },
    #[error("{kind} is for {users} users: at most {} at once", Audience::MOST_USERS)]
    TooManyUsers { kind: &'static str, users: usize },
    #[error("the data of {kind} is no JSON")]
    Data { kind: &'static str, source: serde_json::Error },
}

impl Event {
    /// That `data` happened just now to `subject`, which has this `version` since then.
    pub fn new<D: Data>(
        subject: impl ToString,
        version: u64,
        audience: Audience,
        traceparent: Option<String>,
        data: &D,
    ) -> Result<Self, Invalid> {
        let kind = D::KIND.name();
        if !D::KIND.scopes().contains(&audience.scope()) {
            return Err(Invalid::Audience { kind, audience });
        }
        if let Audience::Users(users) = &audience
            && users.len() > Audience::MOST_USERS
        {
            return Err(Invalid::TooManyUsers { kind, users: users.len() });
        }
        Ok(Self {
            specversion: SpecVersion,
            id: Uuid::now_v7(),
            source: D::KIND.source().path().to_owned(),
            kind: kind.to_owned(),
            subject: subject.to_string(),
            time: time::now(),
            version,
            sequence: None,
            traceparent,
            audience,
            data: serde_json::value::to_raw_value(data).map_err(|source| Invalid::Data { kind, source })?,
        })
    }

    /// The same with its number, which the relay gives it.
    #[must_use]
    pub fn stamped(self, sequence: u64) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// What kind of thing happened; `None` where only a later version knows.
    pub fn known(&self) -> Option<Kind> {
        self.kind.parse().ok()
    }

    /// The data of an event of this type; `None` where it is of another.
    pub fn data<D: Data>(&self) -> Option<Result<D, serde_json::Error>> {
        (self.kind == D::KIND.name()).then(|| serde_json::from_str(self.data.get()))
    }

    /// Its JSON text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// From its JSON text.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// The only version of CloudEvents there is.
#[derive(Clone, Copy, Debug)]
struct SpecVersion;

impl SpecVersion {
    const TEXT: &str = "1.0";
}

impl Serialize for SpecVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::TEXT)
    }
}

impl<'de> Deserialize<'de> for SpecVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let version = String::deserialize(deserializer)?;
        if version == Self::TEXT { Ok(Self) } else { Err(D::Error::custom(format!("specversion is {version:?}"))) }
    }
}

/// A number as decimal text.
mod decimal {
    use super::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The same of one that may be missing.
mod optional_decimal {
    use super::{Deserializer, Serializer, decimal};

    pub(super) fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        number.as_ref().map_or_else(|| unreachable!("it is skipped"), |number| decimal::serialize(number, serializer))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        decimal::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use proto::events::{Amount, ItemSold, MoneyDeposited, MoneyMoved};

    use super::*;

    fn sold() -> ItemSold {
        let price = Some(Amount { currency: "EUR".to_owned(), amount: "250.50".to_owned() });
        ItemSold { item_id: "65a1".to_owned(), name: "Gold \"bar\"".to_owned(), price, ..ItemSold::default() }
    }

    fn event() -> Event {
        Event::new("65a1", 2, Audience::All, Some("00-0af7-b7ad-01".to_owned()), &sold()).expect("for all")
    }

    #[test]
    fn its_json_is_a_cloud_event() {
        let event = event();
        let json: serde_json::Value = serde_json::from_str(&event.to_json().expect("JSON")).expect("JSON");
        let expected = serde_json::json!({
            "specversion": "1.0",
            "id": event.id,
            "source": "/marketplace",
            "type": "item.sold",
            "subject": "65a1",
            "time": event.time,
            "version": "2",
            "traceparent": "00-0af7-b7ad-01",
            "audience": "all",
            "data": {"itemId": "65a1", "name": "Gold \"bar\"", "price": {"currency": "EUR", "amount": "250.50"}},
        });
        assert_eq!(json, expected);
        assert_eq!(event.id.get_version_num(), 7);
        // No attribute's name is one that CloudEvents forbids.
        let names = json.as_object().expect("object").keys();
        assert!(names.clone().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase())), "{names:?}");
    }

    #[test]
    fn it_is_read_back_as_it_was_with_its_number() {
        let event = event().stamped(u64::MAX);
        let json = event.to_json().expect("JSON");
        assert!(json.contains(r#""sequence":"18446744073709551615""#), "{json}");
        let read = Event::from_json(json.as_bytes()).expect("an event");
        assert_eq!(read.to_json().expect("JSON"), json);
        assert_eq!(read.data::<ItemSold>().expect("of this type").expect("data"), sold());
        assert!(read.data::<MoneyMoved>().is_none());
        assert_eq!(read.known(), Some(Kind::ItemSold));
    }

    #[test]
    fn what_a_later_version_tells_can_be_read() {
        let json = event().to_json().expect("JSON").replace("item.sold", "item.leased");
        let later = Event::from_json(json.replacen('{', r#"{"dataschema":"new","#, 1).as_bytes()).expect("an event");
        assert_eq!((later.kind.as_str(), later.known()), ("item.leased", None));
        let json = event().to_json().expect("JSON").replace(r#""data":{"#, r#""data":{"colour":"red","#);
        let more = Event::from_json(json.as_bytes()).expect("an event");
        assert_eq!(more.data::<ItemSold>().expect("of this type").expect("data"), sold());
    }

    #[test]
    fn what_is_no_event_says_why() {
        let json = event().to_json().expect("JSON");
        for (wrong, why) in [
            (json.replace(r#""1.0""#, r#""0.3""#), "specversion"),
            (json.replace(r#""version":"2""#, r#""version":"two""#), "invalid digit"),
            (json.replace(r#""audience":"all""#, r#""audience":"some""#), "audience"),
            (json.replace(r#""subject":"65a1","#, ""), "subject"),
        ] {
            let error = Event::from_json(wrong.as_bytes()).expect_err("not an event").to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn nothing_private_is_for_all() {
        let (deposited, moved) = (MoneyDeposited::default(), MoneyMoved::default());
        let user = Uuid::now_v7();
        let mine = |audience| Event::new(user, 1, audience, None, &deposited);
        assert!(mine(Audience::Users(vec![user])).is_ok());
        for audience in [Audience::All, Audience::Channel(1), Audience::System] {
            let error = mine(audience.clone()).expect_err("private").to_string();
            assert_eq!(error, format!("money.deposited is never for {audience}"));
        }
        assert!(Event::new("1", 1, Audience::System, None, &moved).is_ok());
        assert!(Event::new("1", 1, Audience::All, None, &moved).is_err());
        assert!(mine(Audience::Users(vec![user; Audience::MOST_USERS])).is_ok());
        let error = mine(Audience::Users(vec![user; Audience::MOST_USERS + 1])).expect_err("too many").to_string();
        assert_eq!(error, "money.deposited is for 101 users: at most 100 at once");
    }
}

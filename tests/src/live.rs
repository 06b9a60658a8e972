//! Whoever watches what happens, by `GET /activity/live`.

use std::time::Duration;

use client::RequestBuilder;
use serde_json::Value;

/// What does not come by then never will.
const PATIENCE: Duration = Duration::from_secs(20);

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Where to go on from.
    pub id: String,
    pub kind: String,
    pub data: Value,
}

impl Event {
    /// The number in its id.
    pub fn number(&self) -> u64 {
        self.id.rsplit_once(':').unwrap().1.parse().unwrap()
    }
}

/// A stream that goes on; dropping it closes the connection.
pub struct Watching {
    response: reqwest::Response,
    /// What has come and was not looked at.
    text: String,
    /// Of the last event, or of a comment after it.
    pub last_event_id: String,
}

impl Watching {
    /// Sends a request, and waits until its stream begins.
    pub async fn begin(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new(), last_event_id: String::new() }
    }

    /// The next event; `None` where the stream ends.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = self.read(block);
                self.text = rest.to_owned();
                if let (id, Some((kind, data))) = event {
                    self.last_event_id.clone_from(&id);
                    return Some(Event { id, kind, data });
                }
                self.last_event_id = event.0;
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("an event, or the end");
            self.text += std::str::from_utf8(&chunk.ok()??).unwrap();
        }
    }

    /// The id of a block, and its event, if it is none of comments alone.
    fn read(&self, block: &str) -> (String, Option<(String, Value)>) {
        let field = |name| block.lines().find_map(|line: &str| line.strip_prefix(name)).map(str::to_owned);
        let id = field("id: ").unwrap_or_else(|| panic!("without an id: {block:?}"));
        let data = field("data: ").map(|data| serde_json::from_str(&data).unwrap());
        (id, data.map(|data| (field("event: ").unwrap(), data)))
    }

    /// So many events, which must come.
    pub async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next().await.expect("it goes on"));
        }
        events
    }

    /// Waits for the end.
    pub async fn ended(&mut self) {
        while self.next().await.is_some() {}
    }
}

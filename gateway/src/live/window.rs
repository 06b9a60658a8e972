//! What readers are given: the newest entries, in batches as they came, written as `text/event-stream` once for all.

use std::{collections::VecDeque, fmt::Write as _, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use proto::feed as rpc;

use crate::activity::Activity;

/// Entries that a reader may be behind, at most.
const MAX_ENTRIES: usize = 1000;
/// A batch with so many bytes gets no entry more: so much is made for a connection at once.
const BATCH_BYTES: usize = 32 * 1024;

/// Entries that follow one another.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Of the newest one.
    pub(super) to: u64,
    text: Bytes,
    entries: Vec<Place>,
}

/// One entry in the text of its batch.
#[derive(Debug)]
struct Place {
    number: u64,
    kind: Box<str>,
    end: usize,
}

impl Batch {
    /// Batches of what the feed has told, oldest first. What cannot be written is left out, and an error in the log.
    pub(super) fn of(epoch: &str, activities: Vec<rpc::Activity>) -> Vec<Arc<Self>> {
        let mut batches = Vec::new();
        let (mut text, mut entries) = (BytesMut::new(), Vec::new());
        let mut close = |text: &mut BytesMut, entries: &mut Vec<Place>| {
            if let Some(Place { number, .. }) = entries.last() {
                let (to, text) = (*number, text.split().freeze());
                batches.push(Arc::new(Self { to, text, entries: std::mem::take(entries) }));
            }
        };
        for activity in activities {
            let number = activity.number;
            let Ok(activity) = Activity::try_from(activity) else { continue };
            write(&mut text, epoch, number, &activity);
            entries.push(Place { number, kind: activity.kind.into(), end: text.len() });
            if text.len() >= BATCH_BYTES {
                close(&mut text, &mut entries);
            }
        }
        close(&mut text, &mut entries);
        batches
    }

    /// What comes after a number, of one type where one is given.
    pub(super) fn after(&self, number: u64, kind: Option<&str>) -> Bytes {
        let first = self.entries.partition_point(|entry| entry.number <= number);
        let start = |index: usize| index.checked_sub(1).map_or(0, |before| self.entries[before].end);
        let Some(kind) = kind else { return self.text.slice(start(first)..) };
        let mut text = BytesMut::new();
        for (index, entry) in self.entries.iter().enumerate().skip(first).filter(|(_, entry)| &*entry.kind == kind) {
            text.extend_from_slice(&self.text[start(index)..entry.end]);
        }
        text.freeze()
    }
}

fn write(text: &mut BytesMut, epoch: &str, number: u64, activity: &Activity) {
    // Neither fails: memory takes all, and plain values always serialise.
    let _ = write!(text, "id: {epoch}:{number}\nevent: {}\ndata: ", activity.kind);
    let _ = serde_json::to_writer(text.writer(), activity);
    text.put_slice(b"\n\n");
}

/// A reader is so far behind that what it would be given has gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooSlow;

/// The newest entries of an epoch. Never changed: what comes makes another one, which has the batches in common.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) epoch: Arc<str>,
    /// Who has all up to this number, or a later one, can go on.
    from: u64,
    /// Of the newest.
    pub(super) to: u64,
    batches: VecDeque<Arc<Batch>>,
    entries: usize,
}

impl Window {
    /// An empty one for who has all up to a number.
    pub(super) fn beginning(epoch: Arc<str>, at: u64) -> Self {
        Self { epoch, from: at, to: at, batches: VecDeque::new(), entries: 0 }
    }

    /// With more, up to a number.
    pub(super) fn with(mut self, batches: Vec<Arc<Batch>>, to: u64) -> Self {
        self.entries += batches.iter().map(|batch| batch.entries.len()).sum::<usize>();
        self.batches.extend(batches);
        while self.entries > MAX_ENTRIES
            && let Some(oldest) = self.batches.pop_front()
        {
            self.entries -= oldest.entries.len();
            self.from = oldest.to;
        }
        self.to = to;
        self
    }

    /// What comes next for who has all up to a number, if there is any.
    pub(super) fn next(&self, number: u64) -> Result<Option<&Arc<Batch>>, TooSlow> {
        if number < self.from {
            return Err(TooSlow);
        }
        Ok(self.batches.get(self.batches.partition_point(|batch| batch.to <= number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(number: u64, kind: &str) -> rpc::Activity {
        let time = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
        let (data, r#type) = (format!("{{\n\"postId\": \"{number}\"}}"), kind.to_owned());
        rpc::Activity { number, r#type, time, data, is_public: true, ..rpc::Activity::default() }
    }

    fn batches(numbers: std::ops::RangeInclusive<u64>) -> Vec<Arc<Batch>> {
        let kind = |number| if number % 2 == 0 { "post.created" } else { "user.created" };
        Batch::of("e", numbers.map(|number| activity(number, kind(number))).collect())
    }

    /// The ids of a text of events.
    fn ids(text: &Bytes) -> Vec<u64> {
        let text = std::str::from_utf8(text).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with("}\n\n"), "{text}");
        let id = |event: &str| event.strip_prefix("id: e:").expect("an id").split('\n').next().expect("a line").parse();
        text.split_terminator("\n\n").map(|event| id(event).expect("a number")).collect()
    }

    #[test]
    fn an_event_is_three_lines_whatever_is_in_it() {
        let [batch] = &batches(2..=2)[..] else { panic!("one batch") };
        let text = String::from_utf8(batch.after(1, None).to_vec()).expect("UTF-8");
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!(lines[..2], ["id: e:2", "event: post.created"]);
        assert!(lines[2].starts_with("data: {") && lines[2].ends_with('}') && lines[3..] == ["", ""], "{text}");
    }

    #[test]
    fn a_reader_is_given_what_it_has_not_and_of_its_type() {
        let [batch] = &batches(5..=9)[..] else { panic!("one batch") };
        for (number, expected) in [(0, vec![5, 6, 7, 8, 9]), (5, vec![6, 7, 8, 9]), (8, vec![9]), (9, vec![])] {
            assert_eq!(ids(&batch.after(number, None)), expected, "{number}");
        }
        assert_eq!(ids(&batch.after(0, Some("post.created"))), [6, 8]);
        assert_eq!(ids(&batch.after(6, Some("post.created"))), [8]);
        assert!(batch.after(0, Some("item.sold")).is_empty());
    }

    #[test]
    fn much_is_cut_into_batches_of_so_many_bytes() {
        let batches = batches(1..=1000);
        assert!(batches.len() > 2 && batches.iter().all(|batch| batch.text.len() < BATCH_BYTES + 4096));
        let all: Vec<_> = batches.iter().flat_map(|batch| ids(&batch.after(0, None))).collect();
        assert_eq!(all, (1..=1000).collect::<Vec<_>>());
    }

    #[test]
    fn who_is_too_far_behind_finds_the_window_gone() {
        let mut window = Window::beginning("e".into(), 10);
        assert_eq!(window.next(9).err(), Some(TooSlow));
        assert!(window.next(10).expect("goes on").is_none());
        for number in 11..=1010 {
            window = window.with(batches(number..=number), number);
        }
        assert_eq!(window.next(10).expect("goes on").expect("a batch").to, 11);
        window = window.with(batches(1011..=1011), 1011);
        assert_eq!(window.next(10).err(), Some(TooSlow));
        assert_eq!(window.next(11).expect("goes on").expect("a batch").to, 12);
        // What was deleted since has a number all the same.
        let window = window.with(Vec::new(), 1020);
        assert!(window.next(1011).expect("goes on").is_none() && window.to == 1020);
    }
}

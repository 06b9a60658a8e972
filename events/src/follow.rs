//! Following the log event by event, each once: for views, and for whoever watches.
//!
//! The log may have an event twice: its publisher died before it noted that the log had it, or sends again what a broker may
//! have lost by breaking. The events of one source have numbers without gaps, so one number a source is all that has to be
//! remembered: the next one is taken, lower ones have been, and a higher one means that some are missing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    counts::Counts,
    event::Event,
    log::{Entry, Error, LOOK_BACK, Log, Replay, Start},
};

/// The number of the last event of each source. A view keeps it with what it was made of, in one act.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Sequences {
    /// Whether the first event of a source must be its first at all.
    from_first: bool,
    last: BTreeMap<String, u64>,
}

/// What an event is to who follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is to be taken.
    Next,
    /// It is to be taken, and so many before it were never seen.
    Gap(u64),
    /// It was taken.
    Known,
}

impl Sequences {
    /// Of who follows from the first event that ever was.
    pub fn from_first() -> Self {
        Self { from_first: true, last: BTreeMap::new() }
    }

    /// Of who begins somewhere: the first event of each source, whichever it is, is the next.
    pub fn from_now() -> Self {
        Self::default()
    }

    /// The number of the last event of a source that was taken.
    pub fn last(&self, source: &str) -> Option<u64> {
        self.last.get(source).copied()
    }

    /// The number of the last event of each source that was taken, by source.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.last.iter().map(|(source, last)| (source.as_str(), *last))
    }

    /// Whether all that the others have taken is taken here too.
    pub fn cover(&self, others: &Self) -> bool {
        others.iter().all(|(source, last)| self.last(source).is_some_and(|ours| ours >= last))
    }

    /// Takes note of an event.
    pub fn take(&mut self, source: &str, sequence: u64) -> Step {
        let step = match self.last(source).or(self.from_first.then_some(0)) {
            Some(last) if sequence <= last => return Step::Known,
            Some(last) if sequence > last + 1 => Step::Gap(sequence - last - 1),
            _ => Step::Next,
        };
        self.last.insert(source.to_owned(), sequence);
        step
    }
}

/// A replay that gives each event once.
pub struct Follower {
    replay: Box<dyn Replay>,
    sequences: Sequences,
    counts: Counts,
}

impl Follower {
    /// Follows a replay from where it begins; `sequences` say what is known already.
    pub fn new(replay: Box<dyn Replay>, sequences: Sequences, counts: Counts) -> Self {
        Self { replay, sequences, counts }
    }

    /// Goes on where somebody was whose last entry was published at this time; with the oldest where there was none. It
    /// begins [`LOOK_BACK`] before: positions are not to be relied on, since a broker may have lost what it had.
    pub async fn resume(
        log: &dyn Log,
        sequences: Sequences,
        published_at: Option<DateTime<Utc>>,
        counts: Counts,
    ) -> Result<Self, Error> {
        let start = published_at.map_or(Start::First, |at| Start::Since(at - LOOK_BACK));
        Ok(Self::new(log.replay(start).await?, sequences, counts))
    }

    /// The next events that are new: at least one, at most so many. As [`Replay::next`] otherwise.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Entry>, Error> {
        loop {
            let mut entries = self.replay.next(most).await?;
            entries.retain(|entry| self.take(&entry.event));
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
    }

    /// What was taken so far.
    pub fn sequences(&self) -> &Sequences {
        &self.sequences
    }

    fn take(&mut self, event: &Event) -> bool {
        // The log refuses one that has none.
        let Some(sequence) = event.sequence else { return false };
        match self.sequences.take(&event.source, sequence) {
            Step::Next => true,
            Step::Known => false,
            Step::Gap(missing) => {
                tracing::error!(
                    source = event.source,
                    sequence,
                    missing,
                    "events are missing: rebuild what follows them"
                );
                self.counts.missing(&event.source, missing);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_is_taken_lower_ones_are_known_and_a_gap_is_told() {
        let mut sequences = Sequences::from_first();
        let steps = [1, 2, 2, 1, 3, 6, 5, 7].map(|sequence| sequences.take("/orders", sequence));
        use Step::{Gap, Known, Next};
        assert_eq!(steps, [Next, Next, Known, Known, Next, Gap(2), Known, Next]);
        assert_eq!(sequences.take("/accounts", 2), Gap(1), "each source has numbers of its own");
        assert_eq!((sequences.last("/orders"), sequences.last("/feed")), (Some(7), None));
    }

    #[test]
    fn who_begins_somewhere_misses_nothing_before() {
        let mut sequences = Sequences::from_now();
        assert_eq!(
            [41, 42, 41, 44].map(|n| sequences.take("/orders", n)),
            [Step::Next, Step::Next, Step::Known, Step::Gap(1)]
        );
    }

    #[test]
    fn who_is_further_covers_who_is_behind() {
        let taken = |events: &[(&str, u64)]| {
            let mut sequences = Sequences::from_first();
            events.iter().for_each(|(source, sequence)| {
                sequences.take(source, *sequence);
            });
            sequences
        };
        let behind = taken(&[("/orders", 1)]);
        let further = taken(&[("/orders", 2), ("/accounts", 1)]);
        assert!(further.cover(&behind) && further.cover(&further) && behind.cover(&Sequences::from_first()));
        assert!(!behind.cover(&further) && !taken(&[("/orders", 2)]).cover(&further));
        assert_eq!(further.iter().collect::<Vec<_>>(), [("/accounts", 1), ("/orders", 2)]);
    }

    #[test]
    fn it_is_kept_as_json() {
        let mut sequences = Sequences::from_first();
        sequences.take("/orders", 1);
        let json = serde_json::to_string(&sequences).expect("JSON");
        assert_eq!(serde_json::from_str::<Sequences>(&json).expect("read back"), sequences);
    }
}

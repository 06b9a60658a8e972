//! What was told against what was done: all of it once, in order, and nothing else.

use std::{collections::BTreeMap, time::Duration};

use events::{
    Event, SharedLog, Start,
    follow::{Sequences, Step},
};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::calls::Caller;

/// With all faults over, everything is in the log by then.
const TOLD_WITHIN: Duration = Duration::from_secs(15);
/// For what should not be there to show.
const SILENCE: Duration = Duration::from_millis(500);
/// Events that are read at once.
const MOST: usize = 500;

/// How often what was done: by the type of the event that tells of it, and what tells one such thing from another.
#[derive(Debug, Default)]
pub(super) struct Facts(BTreeMap<(String, String), u64>);

impl Facts {
    pub(super) fn add(&mut self, kind: &str, what: &str) {
        *self.0.entry((kind.to_owned(), what.to_owned())).or_default() += 1;
    }

    fn count(&self) -> u64 {
        self.0.values().sum()
    }
}

/// What has come out of the log.
struct Told {
    sequences: Sequences,
    /// Of each thing.
    versions: BTreeMap<(String, String, String), u64>,
    facts: Facts,
    violations: Vec<String>,
}

impl Told {
    fn take(&mut self, event: &Event) {
        let Event { source, kind, subject, version, .. } = event;
        match self.sequences.take(source, event.sequence.unwrap_or_default()) {
            Step::Next => {}
            Step::Known => return,
            Step::Gap(missing) => self.violations.push(format!("{missing} events are missing before {event:?}")),
        }
        // A channel and a post may have the same number.
        let noun = kind.split('.').next().unwrap_or_default();
        let before = self.versions.insert((source.clone(), subject.clone(), noun.to_owned()), *version);
        if before.is_some_and(|before| before >= *version) {
            self.violations.push(format!("version {before:?} was told before {event:?}"));
        }
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        match kind.as_str() {
            "user.created" | "item.listed" | "channel.created" | "post.created" | "money.deposited" => {
                self.facts.add(kind, subject);
            }
            "item.sold" => self.facts.add(kind, data["transactionId"].as_str().unwrap_or_default()),
            _ => {}
        }
    }
}

/// Reads the whole log.
pub(super) async fn check(caller: &Caller, log: &SharedLog, done: &Facts) {
    let (facts, versions) = (Facts::default(), BTreeMap::new());
    let mut told = Told { sequences: Sequences::from_first(), versions, facts, violations: Vec::new() };
    let give_up = Instant::now() + TOLD_WITHIN;
    let read = async {
        let mut replay = log.replay(Start::First).await?;
        loop {
            let is_all = told.facts.count() >= done.count();
            let until = if is_all { Instant::now() + SILENCE } else { give_up };
            let Ok(entries) = timeout_at(until, replay.next(MOST)).await else { return Ok(()) };
            entries?.iter().for_each(|entry| told.take(&entry.event));
        }
    };
    let ended: Result<Result<(), events::Error>, _> = timeout(2 * TOLD_WITHIN, read).await;
    if !matches!(ended, Ok(Ok(()))) {
        told.violations.push(format!("the log cannot be read: {ended:?}"));
    }
    for ((kind, what), count) in &done.0 {
        let times = told.facts.0.remove(&(kind.clone(), what.clone())).unwrap_or_default();
        if times != *count {
            told.violations.push(format!("{kind} of {what} was told {times} times instead of {count}"));
        }
    }
    // The first admin is made by the system itself.
    for ((kind, what), _) in told.facts.0.into_iter().filter(|((kind, _), _)| kind != "user.created") {
        told.violations.push(format!("{kind} of {what} was told, and never done"));
    }
    for violation in told.violations {
        caller.violation(violation);
    }
}

//! What an outbox must do on every store, as one test suite: `outbox_contract!` makes a test of each case on a fresh store.

use std::{any::Any, collections::HashMap, ops::Deref, sync::Arc};

use tokio::time::Instant;

use super::*;
use crate::lease::Leases;

/// An empty store, seen by two processes, and what must outlive them.
pub(crate) struct Fresh {
    pub(crate) one: Process,
    pub(crate) other: Process,
    pub(crate) _keep: Box<dyn Any + Send>,
}

/// How one process sees it.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) acts: Arc<dyn Acts>,
}

impl Deref for Process {
    type Target = dyn Outbox;

    fn deref(&self) -> &Self::Target {
        &*self.outbox
    }
}

#[async_trait]
pub(crate) trait Acts: Send + Sync {
    /// One act that does nothing but tell; `ends_well` or is rolled back.
    async fn act(&self, messages: Vec<Message>, ends_well: bool);
}

impl Process {
    async fn act(&self, messages: Vec<Message>, ends_well: bool) {
        self.acts.act(messages, ends_well).await;
    }
}

macro_rules! outbox_contract {
    ($fresh:path) => {
        $crate::outbox::contract::outbox_contract! { @cases $fresh, [
            messages_are_there_with_their_act_or_not_at_all,
            numbers_have_no_gap_and_follow_the_versions_of_each_subject,
            what_comes_before_is_numbered_before_whatever_was_asked_for,
            what_is_committed_late_is_not_skipped,
            a_relay_that_was_frozen_past_its_lease_is_refused,
            who_gave_up_the_lease_is_refused,
            what_was_sent_is_sent_again_only_where_that_is_asked_for,
            what_was_sent_long_ago_is_forgotten_and_numbers_go_on,
            what_waits_is_counted_and_so_is_how_long,
            an_act_wakes_who_sleeps,
        ] }
    };
    (@cases $fresh:path, [$($case:ident,)*]) => {
        mod outbox_contract {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    $crate::outbox::contract::$case($fresh().await).await;
                }
            )*
        }
    };
}
pub(crate) use outbox_contract;

const MANY: usize = 1000;
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn message(id: u128, subject: &str, version: i64) -> Message {
    let (subject, kind) = (subject.to_owned(), "thing.changed".to_owned());
    Message { id: Uuid::from_u128(id), subject, version, kind, body: format!("{{\"id\":{id},\"text\":\"dør\"}}") }
}

pub(crate) async fn leads(store: &Process, term: Duration) -> Token {
    let begin = Instant::now();
    loop {
        if let Some(token) = store.leases.acquire(LEASE, "test", term).await.expect("answers") {
            return token;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody lets it go");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn unsent(store: &Process) -> Vec<Stamped> {
    store.unsent(MANY).await.expect("answers")
}

/// The numbers of what is unsent, with subject and version.
async fn places(store: &Process) -> Vec<(i64, String, i64)> {
    let places = unsent(store).await.into_iter();
    places.map(|Stamped { sequence, message }| (sequence, message.subject, message.version)).collect()
}

fn is_fenced<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Fenced(_)))
}

pub(crate) async fn messages_are_there_with_their_act_or_not_at_all(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    one.act(vec![message(1, "a", 1), message(2, "b", 1)], false).await;
    assert_eq!(one.pending().await.expect("answers"), Pending::default());
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 0);
    let kept = [message(3, "a", 1), message(4, "b", 1)];
    one.act(kept.to_vec(), true).await;
    assert_eq!(unsent(&one).await, [], "it has no number yet");
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 2);
    let [a, b] = kept;
    let stamped = [Stamped { sequence: 1, message: a }, Stamped { sequence: 2, message: b }];
    assert_eq!(unsent(&one).await, stamped);
    assert_eq!(unsent(&other).await, stamped);
}

pub(crate) async fn numbers_have_no_gap_and_follow_the_versions_of_each_subject(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    // The clocks of those who act differ: the ids do not follow the versions.
    for round in 0..4 {
        for (store, version, id) in [(&one, 1, 90), (&other, 2, 40), (&one, 3, 60)] {
            let subjects = ["x", "y", "z"].iter().zip(0..);
            let version = 3 * round + version;
            let told = subjects.map(|(subject, n)| message(1000 * round as u128 + id + n, subject, version));
            store.act(told.collect(), true).await;
        }
        // However many at once.
        while one.stamp(token, 2).await.expect("stamps") > 0 {}
    }
    let places = places(&one).await;
    assert!(places.iter().map(|(number, ..)| *number).eq(1..=36), "{places:?}");
    let mut versions = HashMap::<_, Vec<_>>::new();
    for (_, subject, version) in places {
        versions.entry(subject).or_default().push(version);
    }
    assert_eq!(versions.len(), 3);
    assert!(versions.values().all(|versions| versions.iter().copied().eq(1..=12)), "{versions:?}");
}

pub(crate) async fn what_comes_before_is_numbered_before_whatever_was_asked_for(Fresh { one, _keep, .. }: Fresh) {
    let token = leads(&one, LONG).await;
    for (id, subject, version) in [(7, "a", 1), (5, "a", 2), (8, "b", 1), (3, "a", 3), (9, "a", 4)] {
        one.act(vec![message(id, subject, version)], true).await;
    }
    assert_eq!(one.stamp(token, 1).await.expect("stamps"), 3, "the oldest is the third of its subject");
    let place = |number, subject: &str, version| (number, subject.to_owned(), version);
    let first = [place(1, "a", 1), place(2, "a", 2), place(3, "a", 3)];
    assert_eq!(places(&one).await, first);
    assert_eq!(one.stamp(token, 1).await.expect("stamps"), 1);
    assert_eq!(one.stamp(token, 1).await.expect("stamps"), 1);
    assert_eq!(places(&one).await[3..], [place(4, "b", 1), place(5, "a", 4)]);
    assert_eq!(one.unsent(2).await.expect("answers").len(), 2);
}

pub(crate) async fn what_is_committed_late_is_not_skipped(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    one.act(vec![message(9, "b", 1)], true).await;
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 1);
    one.sent(token, 1).await.expect("notes");
    // It began before, and its subject sorts before.
    other.act(vec![message(1, "a", 1)], true).await;
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 1);
    assert_eq!(places(&one).await, [(2, "a".to_owned(), 1)]);
}

pub(crate) async fn a_relay_that_was_frozen_past_its_lease_is_refused(Fresh { one, other, _keep }: Fresh) {
    one.act(vec![message(1, "a", 1), message(2, "b", 1)], true).await;
    let frozen = leads(&one, SHORT).await;
    assert_eq!(one.stamp(frozen, 1).await.expect("stamps"), 1);
    let next = leads(&other, LONG).await;
    // It goes on where it was, before the other one has done anything, and after.
    assert!(is_fenced(one.stamp(frozen, MANY).await));
    assert!(is_fenced(one.sent(frozen, 1).await));
    other.act(vec![message(3, "a", 2)], true).await;
    assert_eq!(other.stamp(next, MANY).await.expect("stamps"), 2);
    other.sent(next, 2).await.expect("notes");
    one.act(vec![message(4, "c", 1)], true).await;
    assert!(is_fenced(one.stamp(frozen, MANY).await));
    assert!(is_fenced(one.sent(frozen, 3).await));
    assert!(is_fenced(one.resend(frozen, LONG).await));
    assert_eq!(other.stamp(next, MANY).await.expect("stamps"), 1);
    let numbers: Vec<_> = places(&other).await.into_iter().map(|(number, ..)| number).collect();
    assert_eq!(numbers, [3, 4]);
}

pub(crate) async fn who_gave_up_the_lease_is_refused(Fresh { one, _keep, .. }: Fresh) {
    one.act(vec![message(1, "a", 1)], true).await;
    let token = leads(&one, LONG).await;
    one.leases.release(LEASE, token).await.expect("answers");
    assert!(is_fenced(one.stamp(token, MANY).await));
    assert_eq!(one.pending().await.expect("answers").count, 1);
}

pub(crate) async fn what_was_sent_is_sent_again_only_where_that_is_asked_for(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    let numbers =
        async |store: &Process| places(store).await.into_iter().map(|(number, ..)| number).collect::<Vec<_>>();
    for id in 1..=6 {
        one.act(vec![message(id, &id.to_string(), 1)], true).await;
    }
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 6);
    for (up_to, left) in [(2, vec![3, 4, 5, 6]), (5, vec![6])] {
        one.sent(token, up_to).await.expect("notes");
        assert_eq!(numbers(&one).await, left);
        assert_eq!(numbers(&other).await, left);
    }
    one.resend(token, LONG).await.expect("notes");
    assert_eq!(numbers(&other).await, [1, 2, 3, 4, 5, 6], "under the same numbers, in order");
    one.act(vec![message(7, "7", 1)], true).await;
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 1);
    assert_eq!(numbers(&one).await, [1, 2, 3, 4, 5, 6, 7]);
    one.sent(token, 7).await.expect("notes");
    // What was sent earlier than that is not.
    let begin = Instant::now();
    loop {
        one.resend(token, Duration::from_millis(20)).await.expect("notes");
        if numbers(&one).await.is_empty() {
            break;
        }
        one.sent(token, 7).await.expect("notes");
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn what_was_sent_long_ago_is_forgotten_and_numbers_go_on(Fresh { one, _keep, .. }: Fresh) {
    let token = leads(&one, LONG).await;
    for id in 1..=3 {
        one.act(vec![message(id, &id.to_string(), 1)], true).await;
    }
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 3);
    one.sent(token, 2).await.expect("notes");
    assert_eq!(one.forget(LONG).await.expect("answers"), 0, "not yet");
    let forgets = async |count| {
        let (begin, mut forgotten) = (Instant::now(), 0);
        while forgotten < count {
            forgotten += one.forget(Duration::ZERO).await.expect("answers");
            assert!(forgotten <= count && begin.elapsed() < PATIENCE, "{forgotten}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    forgets(2).await;
    assert_eq!(places(&one).await, [(3, "3".to_owned(), 1)], "what was not sent stays");
    one.sent(token, 3).await.expect("notes");
    forgets(1).await;
    assert_eq!(one.pending().await.expect("answers").count, 0);
    one.act(vec![message(4, "4", 1)], true).await;
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 1);
    assert_eq!(places(&one).await, [(4, "4".to_owned(), 1)]);
}

pub(crate) async fn what_waits_is_counted_and_so_is_how_long(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    assert_eq!(other.pending().await.expect("answers"), Pending::default());
    one.act(vec![message(1, "a", 1)], true).await;
    assert_eq!(one.stamp(token, MANY).await.expect("stamps"), 1);
    one.act(vec![message(2, "b", 1), message(3, "c", 1)], true).await;
    let begin = Instant::now();
    while other.pending().await.expect("answers").oldest < Duration::from_millis(50) {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(other.pending().await.expect("answers").count, 3, "with a number or without");
    one.sent(token, 1).await.expect("notes");
    assert_eq!(other.pending().await.expect("answers").count, 2);
}

pub(crate) async fn an_act_wakes_who_sleeps(Fresh { one, _keep, .. }: Fresh) {
    let sleeper = one.clone();
    let slept = tokio::spawn(async move { sleeper.sleep(LONG).await });
    // Also where it came before.
    one.act(vec![message(1, "a", 1)], true).await;
    one.wake();
    tokio::time::timeout(PATIENCE, slept).await.expect("wakes").expect("no panic");
}

/// On stores that keep transactions apart in tests too.
pub(crate) async fn relays_at_once_number_each_message_once(Fresh { one, other, _keep }: Fresh) {
    let token = leads(&one, LONG).await;
    for id in 0..20 {
        let told = (0..10).map(|n| message(10 * id + n, &n.to_string(), id as i64 + 1));
        one.act(told.collect(), true).await;
    }
    let stamping = (0..8).map(|number| {
        let store = if number % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { while store.stamp(token, 7).await.expect("stamps") > 0 {} })
    });
    for stamped in stamping.collect::<Vec<_>>() {
        stamped.await.expect("no panic");
    }
    let numbers: Vec<_> = places(&one).await.into_iter().map(|(number, ..)| number).collect();
    assert!(numbers.iter().copied().eq(1..=200), "{numbers:?}");
}

//! Readers of their own.

use std::time::Duration;

use events::{Follower, Position, Start, follow::Sequences};

use super::Fresh;
use crate::{in_time, numbers, post, posts, read, read_numbers};

pub(crate) async fn events_are_read_in_the_order_in_which_they_were_published(Fresh { log, .. }: &Fresh) {
    // More than any batch, with many versions of few subjects.
    let events: Vec<_> = (0..700).map(|n| post(&(n % 7).to_string(), n / 7 + 1, n + 1)).collect();
    for batch in events.chunks(100) {
        log.publish(batch).await.expect("published");
    }
    let mut replay = log.replay(Start::First).await.expect("a reader");
    let read = read(&mut *replay, 700).await;
    assert!(read.is_sorted_by(|one, next| one.position < next.position));
    for (entry, event) in read.iter().zip(&events) {
        assert_eq!(entry.event.to_json().expect("JSON"), event.to_json().expect("JSON"));
        assert!((entry.published_at - event.time).abs() < chrono::TimeDelta::seconds(60));
    }
}

pub(crate) async fn a_reader_goes_on_after_a_position(Fresh { log, .. }: &Fresh) {
    log.publish(&posts(1..=5)).await.expect("published");
    let first = read(&mut *log.replay(Start::First).await.expect("a reader"), 3).await;
    let mut replay = log.replay(Start::After(first[2].position)).await.expect("a reader");
    assert_eq!(read_numbers(&mut *replay, 2).await, [4, 5]);
    let last = read(&mut *log.replay(Start::After(first[2].position)).await.expect("a reader"), 2).await[1].position;
    // After the last there is nothing yet.
    let mut replay = log.replay(Start::After(last)).await.expect("a reader");
    log.publish(&posts([6])).await.expect("published");
    assert_eq!(read_numbers(&mut *replay, 1).await, [6]);
    assert!(Position(7) > Position(6));
}

pub(crate) async fn a_reader_begins_with_what_is_published_from_now_on(Fresh { log, .. }: &Fresh) {
    log.publish(&posts(1..=3)).await.expect("published");
    let mut replay = log.replay(Start::Next).await.expect("a reader");
    log.publish(&posts(4..=5)).await.expect("published");
    assert_eq!(read_numbers(&mut *replay, 2).await, [4, 5]);
}

pub(crate) async fn a_reader_begins_at_a_time(Fresh { log, .. }: &Fresh) {
    log.publish(&posts(1..=3)).await.expect("published");
    let first = read(&mut *log.replay(Start::First).await.expect("a reader"), 1).await;
    let (hour, at) = (chrono::TimeDelta::hours(1), first[0].published_at);
    let mut before = log.replay(Start::Since(at - hour)).await.expect("a reader");
    assert_eq!(read_numbers(&mut *before, 3).await, [1, 2, 3]);
    let mut after = log.replay(Start::Since(at + hour)).await.expect("a reader");
    log.publish(&posts([4])).await.expect("published");
    assert_eq!(read_numbers(&mut *after, 1).await, [4]);
}

pub(crate) async fn what_another_process_publishes_is_read(Fresh { log, other, .. }: &Fresh) {
    let mut replay = log.replay(Start::First).await.expect("a reader");
    for number in 1..=3 {
        other.publish(&posts([number])).await.expect("published");
        assert_eq!(read_numbers(&mut *replay, 1).await, [number]);
    }
}

pub(crate) async fn who_stops_waiting_loses_nothing(Fresh { log, .. }: &Fresh) {
    let mut replay = log.replay(Start::First).await.expect("a reader");
    let mut found = Vec::new();
    for number in 1..=20 {
        log.publish(&posts([number])).await.expect("published");
        // Often in the middle of something.
        let patience = Duration::from_micros(200 * (number % 5));
        if let Ok(entries) = tokio::time::timeout(patience, replay.next(2)).await {
            found.extend(numbers(entries.expect("entries").iter().map(|entry| &entry.event)));
        }
    }
    let left = 20 - found.len();
    found.extend(read_numbers(&mut *replay, left).await);
    assert_eq!(found, (1..=20).collect::<Vec<_>>());
}

/// So it is where a publisher dies between the log's confirmation and its own note of it, and where what a broker may have
/// lost is sent again.
pub(crate) async fn what_was_published_twice_is_followed_once(Fresh { log, counts, .. }: &Fresh) {
    for batch in [1..=6, 4..=8, 2..=9] {
        log.publish(&posts(batch)).await.expect("published");
    }
    let mut follower = Follower::new(
        log.replay(Start::First).await.expect("a reader"),
        Sequences::from_first(),
        counts.counts.clone(),
    );
    let mut found = Vec::new();
    let all = async {
        while found.len() < 9 {
            found.extend(follower.next(100).await.expect("entries"));
        }
    };
    in_time("all is followed", all).await;
    assert_eq!(numbers(found.iter().map(|entry| &entry.event)), (1..=9).collect::<Vec<_>>());
    assert_eq!(follower.sequences().last("/discourse"), Some(9));
    assert_eq!(counts.value("events_missing_total"), None);
}

pub(crate) async fn a_gap_is_told_and_the_rest_followed(Fresh { log, counts, .. }: &Fresh) {
    log.publish(&posts([1, 2, 5, 6])).await.expect("published");
    let mut follower = Follower::new(
        log.replay(Start::First).await.expect("a reader"),
        Sequences::from_first(),
        counts.counts.clone(),
    );
    let mut found = Vec::new();
    let all = async {
        while found.len() < 4 {
            found.extend(follower.next(100).await.expect("entries"));
        }
    };
    in_time("all is followed", all).await;
    assert_eq!(numbers(found.iter().map(|entry| &entry.event)), [1, 2, 5, 6]);
    assert_eq!(counts.value("events_missing_total"), Some(2));
}

pub(crate) async fn who_follows_goes_on_where_it_was(Fresh { log, other, counts, .. }: &Fresh) {
    log.publish(&posts(1..=4)).await.expect("published");
    let mut follower = Follower::new(
        log.replay(Start::First).await.expect("a reader"),
        Sequences::from_first(),
        counts.counts.clone(),
    );
    let first = in_time("entries", follower.next(3)).await.expect("entries");
    let (sequences, at) = (follower.sequences().clone(), first.last().expect("one").published_at);
    let taken = first.len() as u64;
    drop(follower);
    other.publish(&posts(5..=6)).await.expect("published");
    // It begins a minute back, which is all here, and is given nothing again.
    let mut follower = Follower::resume(&**other, sequences, Some(at), counts.counts.clone()).await.expect("a reader");
    let mut found = Vec::new();
    let all = async {
        while found.len() as u64 + taken < 6 {
            found.extend(follower.next(100).await.expect("entries"));
        }
    };
    in_time("all is followed", all).await;
    assert_eq!(numbers(found.iter().map(|entry| &entry.event)), (taken + 1..=6).collect::<Vec<_>>());
    assert_eq!(counts.value("events_missing_total"), None);
}

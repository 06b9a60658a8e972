//! Who applies, and how often.

use super::*;
use crate::store::Error;

pub(crate) async fn an_event_is_applied_once(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut accounts) = (holder(store).await, Teller::default());
    let told: Vec<_> = [ADA, BOB, EVE].into_iter().map(|user| accounts.registers(user)).collect();
    assert_eq!(apply(store, token, told[..2].to_vec()).await, 2);
    assert_eq!(apply(store, token, told[..2].to_vec()).await, 0, "all of it again");
    assert_eq!(apply(store, token, told.clone()).await, 1, "some of it again");
    assert_eq!(apply(&*fresh.other, token, vec![told[2].clone(), told[0].clone(), told[2].clone()]).await, 0);
    assert_eq!(apply(store, token, Vec::new()).await, 0);
    let head = store.head(Target::Current).await.expect("reads").expect("is there");
    assert_eq!((head.position, head.number, head.sequences.last("/accounts")), (3, 3, Some(3)));
    assert_eq!(page(store, List::All).await.total, 3);
    assert_eq!(store.stats(time::now()).await.expect("reads").found.totals["user.created"], 3);
}

pub(crate) async fn of_two_who_apply_the_same_at_once_one_does(fresh: &Fresh) {
    let token = holder(&*fresh.store).await;
    let mut accounts = Teller::default();
    for round in 1..=5 {
        let told: Vec<_> = (0..20).map(|_| accounts.registers(Uuid::new_v4())).collect();
        let racers = (0..4).map(|racer| {
            let store = Arc::clone(if racer % 2 == 0 { &fresh.store } else { &fresh.other });
            let batch = Arc::new(Batch::new(told.clone()));
            tokio::spawn(async move { store.apply(token, Target::Current, batch).await })
        });
        let mut applied = 0;
        for racer in racers.collect::<Vec<_>>() {
            // Who finds that somebody else was there may say so instead of looking again.
            applied += racer.await.expect("no panic").unwrap_or(0);
        }
        assert_eq!(applied, 20);
        let head = fresh.store.head(Target::Current).await.expect("reads").expect("is there");
        assert_eq!((head.position, head.number), (20 * round, 20 * round));
        assert_eq!(page(&*fresh.store, List::All).await.total, 20 * round);
    }
}

pub(crate) async fn who_was_frozen_past_the_lease_applies_nothing(fresh: &Fresh) {
    let (store, mut accounts) = (&*fresh.store, Teller::default());
    let (one, other) = (store.leases(), fresh.other.leases());
    let short = Duration::from_millis(200);
    let frozen = one.acquire(TASKS, "one", short).await.expect("answers").expect("is free");
    let told = vec![accounts.registers(ADA)];
    // While nobody else has it, it goes on.
    store.begin(frozen).await.expect("has it");
    store.begin_rebuild(frozen).await.expect("has it");
    let holder = loop {
        if let Some(token) = other.acquire(TASKS, "other", LONG).await.expect("answers") {
            break token;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(holder > frozen);
    for target in [Target::Current, Target::Building] {
        let refused = store.apply(frozen, target, Arc::new(Batch::new(told.clone()))).await;
        assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    }
    assert!(matches!(store.begin(frozen).await, Err(Error::Fenced(_))));
    assert!(matches!(store.caught_up(frozen, time::now()).await, Err(Error::Fenced(_))));
    assert!(matches!(store.begin_rebuild(frozen).await, Err(Error::Fenced(_))));
    assert!(matches!(store.switch(frozen).await, Err(Error::Fenced(_))));
    assert!(!one.renew(TASKS, frozen, LONG).await.expect("answers"));
    one.release(TASKS, frozen).await.expect("answers");
    assert_eq!(page(store, List::All).await.total, 0);
    assert_eq!(apply(&*fresh.other, holder, told).await, 1);
}

pub(crate) async fn what_is_given_up_is_free_at_once(fresh: &Fresh) {
    let (one, other) = (fresh.store.leases(), fresh.other.leases());
    let first = holder(&*fresh.store).await;
    assert!(one.renew(TASKS, first, LONG).await.expect("answers"));
    assert_eq!(other.acquire(TASKS, "other", LONG).await.expect("answers"), None);
    assert!(other.acquire("something else", "other", LONG).await.expect("answers").is_some());
    one.release(TASKS, first).await.expect("answers");
    let refused = fresh.store.caught_up(first, time::now()).await;
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    let second = other.acquire(TASKS, "other", LONG).await.expect("answers").expect("is free at once");
    assert!(second > first);
    fresh.store.caught_up(second, time::now()).await.expect("has it");
}

pub(crate) async fn a_source_that_left_some_out_is_followed(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut accounts) = (holder(store).await, Teller::default());
    let told: Vec<_> = (0..5).map(|number| accounts.registers(Uuid::from_u128(number))).collect();
    assert_eq!(apply(store, token, vec![told[0].clone(), told[3].clone()]).await, 2);
    assert_eq!(apply(store, token, vec![told[2].clone(), told[4].clone()]).await, 1, "it is too late for one");
    let head = store.head(Target::Current).await.expect("reads").expect("is there");
    assert_eq!((head.number, head.sequences.last("/accounts")), (3, Some(5)));
}

pub(crate) async fn how_much_is_applied_is_known_to_all(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut accounts) = (holder(store).await, Teller::default());
    let told = accounts.registers(ADA);
    let published_at = told.published_at;
    apply(store, token, vec![told]).await;
    let read = fresh.other.progress().await.expect("reads");
    assert_eq!((read.as_of, read.head.position), (Some(published_at), 1));
    let later = published_at + chrono::Duration::seconds(5);
    store.caught_up(token, later).await.expect("notes");
    store.caught_up(token, published_at).await.expect("notes");
    assert_eq!(fresh.other.progress().await.expect("reads").as_of, Some(later), "it never goes back");
    let page = fresh.other.page(List::All, Page { page: 1, limit: 1 }).await.expect("reads");
    assert_eq!((page.as_of, page.head.sequences.last("/accounts")), (Some(later), Some(1)));
}

pub(crate) async fn views_that_are_there_are_begun_with_as_they_are(fresh: &Fresh) {
    let store = &*fresh.store;
    let (token, mut accounts) = (holder(store).await, Teller::default());
    let empty = store.begin(token).await.expect("begins");
    assert_eq!((empty.position, empty.published_at), (0, None));
    apply(store, token, vec![accounts.registers(ADA)]).await;
    let head = fresh.other.begin(token).await.expect("begins");
    assert_eq!((head.position, head.epoch), (1, empty.epoch));
    assert_eq!(store.head(Target::Current).await.expect("reads"), Some(head));
}

pub(crate) async fn what_is_not_there_is_not_applied_to(fresh: &Fresh) {
    let store = &*fresh.store;
    let token = store.leases().acquire(TASKS, "test", LONG).await.expect("answers").expect("is free");
    // As after a store was emptied: what comes now is not all that there ever was.
    let batch = Arc::new(Batch::new(vec![Teller::default().registers(ADA)]));
    for target in [Target::Current, Target::Building] {
        let refused = store.apply(token, target, Arc::clone(&batch)).await;
        assert!(matches!(refused, Err(Error::Store(storage::Error::Unavailable(_)))), "{refused:?}");
        assert!(store.head(target).await.expect("reads").is_none());
    }
}

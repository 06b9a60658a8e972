//! Views that are made anew beside those that are read.

use super::*;
use crate::view::Head;

const USERS: u64 = 6;
const CHANNELS: i64 = 5;

/// All that can be read, as text.
async fn contents(store: &dyn Store) -> Vec<String> {
    let mut contents = Vec::new();
    let user = |number| Uuid::from_u128(number);
    let mut lists = vec![List::All];
    lists.extend(events::Kind::ALL.iter().map(|kind| List::Kind(kind.name().to_owned())));
    lists.extend((0..USERS).flat_map(|n| [List::User(user(n.into())), List::Notices(user(n.into()))]));
    for list in lists {
        for number in 1.. {
            let found = store.page(list.clone(), Page { page: number, limit: 100 }).await.expect("reads").found;
            let lines = found.entries.iter().map(|listed| {
                format!("{list} {} {}", listed.number, serde_json::to_string(&listed.entry).expect("JSON"))
            });
            contents.extend(lines);
            if found.entries.len() < 100 {
                break;
            }
        }
    }
    for number in 0..USERS {
        let viewer = user(number.into());
        let accesses = store.accesses(Some(viewer), (0..CHANNELS).collect()).await.expect("reads");
        let mut lines: Vec<_> = accesses.into_iter().map(|(id, access)| format!("{number} {id} {access:?}")).collect();
        lines.sort_unstable();
        contents.extend(lines);
        let notices = store.notices(viewer, Page { page: 1, limit: 1 }).await.expect("reads").found;
        contents.push(format!("{number} unread {} read {}", notices.unread, notices.read));
    }
    contents.push(format!("{:?}", store.stats(time::now()).await.expect("reads").found.totals));
    contents
}

/// What a busy discourse tells.
fn tale(random: &mut fastrand::Rng, count: usize) -> Vec<Logged> {
    let mut discourse = Teller::default();
    let mut told = Vec::new();
    for post in 0..count as i64 {
        let (user, channel) = (Uuid::from_u128(random.u128(0..USERS.into())), random.i64(0..CHANNELS));
        let audience = if random.bool() { Audience::All } else { Audience::Channel(channel) };
        told.push(match random.u8(0..20) {
            0 => discourse.opens(channel, user, if random.bool() { "public" } else { "private" }),
            1 => discourse.turns(channel, if random.bool() { "public" } else { "private" }),
            2 => discourse.closes(channel),
            3 => discourse.joins(channel, user),
            4 => discourse.leaves(channel, user),
            5..8 => discourse.deletes(random.i64(0..=post), channel, user, audience),
            _ => discourse.posts(post, channel, user, audience),
        });
    }
    told
}

async fn apply_in_parts(store: &dyn Store, token: Token, target: Target, told: &[Logged], random: &mut fastrand::Rng) {
    let mut rest = told;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(random.usize(1..=40).min(rest.len()));
        apply_to(store, token, target, part.to_vec()).await;
        rest = after;
    }
}

async fn current(store: &dyn Store) -> Head {
    store.head(Target::Current).await.expect("reads").expect("is there")
}

pub(crate) async fn views_made_anew_equal_those_that_followed(fresh: &Fresh) {
    let (store, token) = (&*fresh.store, holder(&*fresh.store).await);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let told = tale(&mut random, 1500);
    apply_in_parts(store, token, Target::Current, &told, &mut random).await;
    store.mark_read(Uuid::from_u128(1), Some(3)).await.expect("marks");
    let (live, head) = (contents(store).await, current(store).await);
    store.request_rebuild().await.expect("is asked for");
    assert!(fresh.other.is_rebuild_due().await.expect("reads"));
    store.begin_rebuild(token).await.expect("begins");
    apply_in_parts(store, token, Target::Building, &told, &mut random).await;
    assert_eq!(contents(&*fresh.other).await, live, "those that are read are as they were");
    assert!(store.switch(token).await.expect("switches"));
    let rebuilt = contents(&*fresh.other).await;
    for (rebuilt, live) in rebuilt.iter().zip(&live) {
        assert_eq!(rebuilt, live);
    }
    assert_eq!(rebuilt.len(), live.len());
    assert_eq!(current(store).await, head, "its epoch too");
    assert!(!store.is_rebuild_due().await.expect("reads"));
    assert!(!store.switch(token).await.expect("answers"), "there is nothing to switch to");
}

pub(crate) async fn views_made_anew_take_their_place_when_they_are_as_far(fresh: &Fresh) {
    let (store, token) = (&*fresh.store, holder(&*fresh.store).await);
    let mut accounts = Teller::default();
    let told: Vec<_> = (0..3).map(|number| accounts.registers(Uuid::from_u128(number))).collect();
    apply(store, token, told[..2].to_vec()).await;
    let epoch = current(store).await.epoch;
    store.begin_rebuild(token).await.expect("begins");
    assert!(store.stats(time::now()).await.expect("reads").found.is_rebuilding);
    apply_to(store, token, Target::Building, told[..1].to_vec()).await;
    assert!(!store.switch(token).await.expect("answers"));
    assert_eq!(current(store).await.position, 2);
    // Further than those that are read is far enough.
    apply_to(store, token, Target::Building, told).await;
    assert!(store.switch(token).await.expect("answers"));
    let head = current(store).await;
    assert_eq!((head.position, head.number, head.epoch), (3, 3, epoch));
    assert_eq!(page(store, List::All).await.total, 3);
    assert!(store.head(Target::Building).await.expect("reads").is_none());
}

pub(crate) async fn other_numbers_are_of_another_epoch(fresh: &Fresh) {
    let (store, token) = (&*fresh.store, holder(&*fresh.store).await);
    let mut accounts = Teller::default();
    let told: Vec<_> = (0..3).map(|number| accounts.registers(Uuid::from_u128(number))).collect();
    // One was never seen.
    apply(store, token, vec![told[0].clone(), told[2].clone()]).await;
    let before = current(store).await;
    store.begin_rebuild(token).await.expect("begins");
    apply_to(store, token, Target::Building, told).await;
    assert!(store.switch(token).await.expect("switches"));
    let after = current(store).await;
    assert_eq!((before.number, after.number), (2, 3));
    assert_ne!(before.epoch, after.epoch);
}

pub(crate) async fn who_begins_again_begins_with_nothing(fresh: &Fresh) {
    let (store, token) = (&*fresh.store, holder(&*fresh.store).await);
    let mut accounts = Teller::default();
    let told = vec![accounts.registers(ADA)];
    apply(store, token, told.clone()).await;
    store.begin_rebuild(token).await.expect("begins");
    apply_to(store, token, Target::Building, told.clone()).await;
    assert!(store.is_rebuild_due().await.expect("reads"), "it is not at its end");
    store.begin_rebuild(token).await.expect("begins");
    assert_eq!(store.head(Target::Building).await.expect("reads").map(|head| head.position), Some(0));
    assert!(!store.switch(token).await.expect("answers"));
    apply_to(store, token, Target::Building, told).await;
    assert!(store.switch(token).await.expect("answers"));
    assert_eq!(page(store, List::All).await.total, 1);
}

pub(crate) async fn what_is_left_of_former_views_is_swept(fresh: &Fresh) {
    let (store, token) = (&*fresh.store, holder(&*fresh.store).await);
    let mut random = fastrand::Rng::with_seed(7);
    let told = tale(&mut random, 100);
    apply_in_parts(store, token, Target::Current, &told, &mut random).await;
    store.begin_rebuild(token).await.expect("begins");
    apply_in_parts(store, token, Target::Building, &told, &mut random).await;
    let live = contents(store).await;
    assert!(store.switch(token).await.expect("switches"));
    let mut swept = 0;
    while let more @ 1.. = store.sweep().await.expect("sweeps") {
        swept += more;
    }
    assert!(swept > 0);
    assert_eq!(contents(store).await, live);
}

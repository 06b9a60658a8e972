use futures_util::future::join_all;

use super::*;
use crate::{
    cache::{Generations, Viewer, contract},
    redis::testing::Scratch,
};

const TTL: Duration = Duration::from_secs(60);

async fn on(scratch: &Scratch) -> RedisCache {
    RedisCache::new(scratch.connect().await, TTL, &scratch.tasks, &scratch.shutdown)
}

async fn fresh() -> (RedisCache, Scratch) {
    let scratch = Scratch::new();
    (on(&scratch).await, scratch)
}

contract::cache_contract!(fresh);

fn page(number: usize) -> Key {
    Key::get("/route", &format!("/{number}"), &(), Viewer::Anyone, vec![Tag::all("list"), Tag::number("channel", 1)])
}

/// Stores an answer that says `number`, as a miss would.
async fn fill(cache: &RedisCache, number: usize) {
    let Lookup::Miss(generations) = cache.lookup(&page(number)).await.expect("answers") else { panic!("a hit") };
    let entry = Entry::new(&number, None, generations).expect("serialises");
    cache.store(&page(number), Arc::new(entry)).await.expect("kept");
}

/// The body of a hit.
async fn hit(cache: &RedisCache, number: usize) -> Option<Bytes> {
    match cache.lookup(&page(number)).await.expect("answers") {
        Lookup::Hit(entry) => Some(entry.body().clone()),
        Lookup::Miss(_) => None,
    }
}

#[tokio::test]
async fn two_gateways_see_one_anothers_entries_and_writes() {
    let scratch = Scratch::new();
    let (one, two) = (on(&scratch).await, on(&scratch).await);
    fill(&one, 1).await;
    assert_eq!(hit(&two, 1).await.as_deref(), Some(&b"1"[..]));
    two.invalidate(&[Tag::number("channel", 1)]).await.expect("done");
    assert_eq!(hit(&one, 1).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn look_ups_in_one_group_get_each_their_own() {
    let (cache, _scratch) = fresh().await;
    for number in 0..20 {
        fill(&cache, number).await;
    }
    let bodies = join_all((0..200).map(|number| hit(&cache, number % 25))).await;
    for (number, body) in bodies.into_iter().enumerate() {
        let expected = (number % 25 < 20).then(|| Bytes::from((number % 25).to_string()));
        assert_eq!(body, expected, "{number}");
    }
}

#[tokio::test]
async fn a_generation_that_is_lost_brings_no_entry_back() {
    let (cache, _scratch) = fresh().await;
    let tag = Tag::number("channel", 1);
    for lost in [cache.generation_key(&tag), cache.redis.epoch_key()] {
        // An entry from when there was no generation yet, a write, and then Redis forgets the write.
        fill(&cache, 1).await;
        let of_no_generation = Entry::new(&"old", None, vec![0; 3].into()).expect("serialises");
        cache.invalidate(std::slice::from_ref(&tag)).await.expect("done");
        let forget = cache.redis.call(PATIENCE, async |redis| redis.del::<(), _>(&lost).await);
        forget.await.expect("deleted");
        assert_eq!(hit(&cache, 1).await, None, "{lost}");
        cache.store(&page(1), Arc::new(of_no_generation)).await.expect("kept");
        assert_eq!(hit(&cache, 1).await, None, "{lost}");
    }
}

#[tokio::test]
async fn nothing_from_before_an_epoch_is_used() {
    let (cache, scratch) = fresh().await;
    fill(&cache, 1).await;
    assert!(hit(&cache, 1).await.is_some());
    // What every gateway does when it connects.
    let other = on(&scratch).await;
    assert_eq!((hit(&cache, 1).await, hit(&other, 1).await), (None, None));
}

#[tokio::test]
async fn entries_and_generations_expire_and_large_entries_are_not_kept() {
    let (cache, _scratch) = fresh().await;
    fill(&cache, 1).await;
    let ttl = async |key: String| {
        cache.redis.call(PATIENCE, async |redis| redis.ttl::<i64, _>(key).await).await.expect("answers")
    };
    let kept = cache.entry_key(&page(1));
    assert!((55..=60).contains(&ttl(kept).await));
    let generation = cache.generation_key(&Tag::all("list"));
    assert!((3655..=3660).contains(&ttl(generation).await));
    // Two quotes and the head come on top.
    let size =
        |bytes: usize| Arc::new(Entry::new(&"x".repeat(bytes), None, Generations::default()).expect("serialises"));
    let most = MAX_ENTRY_BYTES - size(0).encode().len();
    cache.store(&page(2), size(most)).await.expect("kept");
    cache.store(&page(2), size(most + 1)).await.expect_err("too large");
}

#[tokio::test]
async fn what_is_no_entry_is_a_miss() {
    let (cache, _scratch) = fresh().await;
    for nonsense in ["", "nonsense"] {
        let key = cache.entry_key(&page(1));
        let set =
            cache.redis.call(PATIENCE, async |redis| redis.set::<(), _, _>(key, nonsense, None, None, false).await);
        set.await.expect("set");
        assert_eq!(hit(&cache, 1).await, None);
    }
}

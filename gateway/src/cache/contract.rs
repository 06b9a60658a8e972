//! What every cache must do, as one test suite: `cache_contract!` makes a test of each case on fresh caches.

use std::sync::Arc;

use super::{Cache, Entry, Generations, Key, Lookup, Tag, Viewer};

/// Makes the tests of a cache from a function that opens a fresh one, and what must outlive it.
macro_rules! cache_contract {
    ($fresh:path) => {
        $crate::cache::contract::cache_contract! { @cases $fresh: [
            what_was_stored_is_a_hit,
            an_entry_of_an_older_generation_is_a_miss,
            an_entry_made_before_a_write_is_never_used,
            a_tag_touches_no_other,
        ] }
    };
    (@cases $fresh:path: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test]
        async fn $case() {
            let (cache, _keep) = $fresh().await;
            $crate::cache::contract::$case(&cache).await;
        }
    )*};
}

pub(super) use cache_contract;

fn key(path: &str, tags: Vec<Tag>) -> Key {
    Key::get("/route", path, &(), Viewer::Anyone, tags)
}

async fn missed(cache: &impl Cache, key: &Key) -> Generations {
    match cache.lookup(key).await.expect("answers") {
        Lookup::Miss(generations) => generations,
        Lookup::Hit(entry) => panic!("a hit: {entry:?}"),
    }
}

async fn is_hit(cache: &impl Cache, key: &Key) -> bool {
    matches!(cache.lookup(key).await.expect("answers"), Lookup::Hit(_))
}

async fn store(cache: &impl Cache, key: &Key, generations: Generations) {
    let entry = Entry::new(&"answer", None, generations).expect("serialises");
    cache.store(key, Arc::new(entry)).await.expect("kept");
}

pub(super) async fn what_was_stored_is_a_hit(cache: &impl Cache) {
    let key_ = key("/a", vec![Tag::all("list"), Tag::text("item", "1")]);
    let generations = missed(cache, &key_).await;
    store(cache, &key_, generations.clone()).await;
    let Lookup::Hit(entry) = cache.lookup(&key_).await.expect("answers") else { panic!("a miss") };
    assert_eq!(entry.generations(), &generations);
    assert!(!is_hit(cache, &key("/b", vec![Tag::all("list")])).await);
}

pub(super) async fn an_entry_of_an_older_generation_is_a_miss(cache: &impl Cache) {
    for tag in [Tag::all("list"), Tag::text("item", "1"), Tag::all("channels"), Tag::number("channel", 1)] {
        let key = key("/a", vec![Tag::number("channel", 7), tag.clone()]);
        let generations = missed(cache, &key).await;
        store(cache, &key, generations).await;
        assert!(is_hit(cache, &key).await, "{tag}");
        cache.invalidate(std::slice::from_ref(&tag)).await.expect("done");
        let generations = missed(cache, &key).await;
        store(cache, &key, generations).await;
        assert!(is_hit(cache, &key).await, "{tag}: made anew");
    }
}

pub(super) async fn an_entry_made_before_a_write_is_never_used(cache: &impl Cache) {
    let key = key("/a", vec![Tag::all("list")]);
    // A reader has looked up, and is upstream when the write commits; what it brings back is old.
    let before = missed(cache, &key).await;
    cache.invalidate(&[Tag::all("list")]).await.expect("done");
    store(cache, &key, before).await;
    missed(cache, &key).await;
}

pub(super) async fn a_tag_touches_no_other(cache: &impl Cache) {
    let (one, two) = (key("/1", vec![Tag::number("channel", 1)]), key("/2", vec![Tag::number("channel", 2)]));
    for key in [&one, &two] {
        let generations = missed(cache, key).await;
        store(cache, key, generations).await;
    }
    cache.invalidate(&[Tag::number("channel", 1)]).await.expect("done");
    assert!(!is_hit(cache, &one).await && is_hit(cache, &two).await);
}

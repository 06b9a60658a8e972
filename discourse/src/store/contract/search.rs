//! Posts wherever they are.

use chrono::TimeDelta;
use kernel::{Page, time};
use uuid::Uuid;

use super::{act, add, change_post, found, open, say, words};
use crate::{
    channel::ChannelType,
    post::{
        Change, NewPost,
        search::{LONGEST_QUERY, PostFilter, Words},
    },
    store::Store,
    topic::Topic,
};

fn all() -> PostFilter {
    PostFilter::default()
}

fn of_words(query: &str) -> PostFilter {
    PostFilter { words: Some(Words::of(query)), ..all() }
}

pub(crate) async fn a_post_is_found_by_all_of_its_words(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let draft =
        NewPost { title: "On Gold".to_owned(), ..words(&channel, "See https://example.org/bars, 24-karat; naïve.") };
    let gold = say(store, author, draft, time::now()).await.id;
    let silver = say(store, author, words(&channel, "On silver bars"), time::now()).await.id;
    for (query, expected) in [
        ("gold", &[gold][..]),
        ("GOLD bars", &[gold]),
        ("bars on", &[silver, gold]),
        ("example", &[gold]),
        ("karat 24", &[gold]),
        ("naïve", &[gold]),
        ("naive", &[]),
        ("gold silver", &[]),
        ("gol", &[]),
    ] {
        assert_eq!(found(store, None, of_words(query)).await, expected, "{query}");
    }
    // Its words are those that it has now.
    let change = Change { content: Some("See nothing".to_owned()), ..Change::default() };
    change_post(store, author, gold, &[], change).await.expect("its author");
    assert_eq!(found(store, None, of_words("bars")).await, [silver]);
    assert_eq!(found(store, None, of_words("gold nothing")).await, [gold]);
}

pub(crate) async fn whatever_is_looked_for_is_words(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let post = say(store, author, words(&channel, "gold and silver or not near title"), time::now()).await.id;
    for query in [
        "\"gold",
        "gold\"\"",
        "gold'",
        "'; DROP TABLE posts; -- gold",
        "gold AND",
        "NOT gold",
        "gold OR",
        "title:gold",
        "gold*",
        "^gold",
        "NEAR(gold silver)",
        "gold & !silver",
        "(gold",
        "-gold",
        "gold:*",
        "{title} : gold",
        "gold \\",
        "gold\u{2019}",
    ] {
        let expected: &[i64] = if query.contains("DROP") { &[] } else { &[post] };
        assert_eq!(found(store, None, of_words(query)).await, expected, "{query}");
    }
    let longest = "a ".repeat(LONGEST_QUERY / 2);
    assert_eq!(found(store, None, of_words(&longest)).await, [0_i64; 0]);
    assert_eq!(found(store, None, of_words(&"gold ".repeat(40))).await, [post]);
    assert_eq!(found(store, None, of_words(&"x".repeat(10_000))).await, [0_i64; 0]);
}

pub(crate) async fn filters_of_posts_go_together(store: &dyn Store) {
    let (ada, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let (first, second) = (open(store, ada, ChannelType::Public).await, open(store, ada, ChannelType::Public).await);
    let mut made = Vec::new();
    for (author, channel, topic, tags) in [
        (ada, &first, Topic::Economic, &["gold", "Gold"][..]),
        (bob, &first, Topic::General, &["gold"]),
        (ada, &second, Topic::General, &[]),
    ] {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        made.push(say(store, author, NewPost { topic, tags, ..words(channel, "words") }, time::now()).await.id);
    }
    let tag = |tag: &str| Some(tag.to_owned());
    for (filter, expected) in [
        (all(), &[made[2], made[1], made[0]][..]),
        (PostFilter { author: Some(ada), ..all() }, &[made[2], made[0]]),
        (PostFilter { topic: Some(Topic::General), ..all() }, &[made[2], made[1]]),
        (PostFilter { channel_id: Some(first.id), ..all() }, &[made[1], made[0]]),
        (PostFilter { channel_id: Some(i64::MAX), ..all() }, &[]),
        (PostFilter { tag: tag("gold"), ..all() }, &[made[1], made[0]]),
        (PostFilter { tag: tag("Gold"), ..all() }, &[made[0]]),
        (PostFilter { tag: tag("gol"), ..all() }, &[]),
        (PostFilter { author: Some(ada), topic: Some(Topic::General), ..of_words("words") }, &[made[2]]),
        (PostFilter { author: Some(bob), channel_id: Some(second.id), ..all() }, &[]),
    ] {
        assert_eq!(found(store, None, filter.clone()).await, expected, "{filter:?}");
    }
    let change = Change { tags: Some(vec!["tin".to_owned()]), ..Change::default() };
    change_post(store, ada, made[0], &[], change).await.expect("its author");
    assert_eq!(found(store, None, PostFilter { tag: tag("gold"), ..all() }).await, [made[1]]);
    assert_eq!(found(store, None, PostFilter { tag: tag("tin"), ..all() }).await, [made[0]]);
}

pub(crate) async fn a_post_has_so_many_tags(store: &dyn Store) {
    let author = Uuid::new_v4();
    let channel = open(store, author, ChannelType::Public).await;
    let tags: Vec<_> = (0..kernel::tags::MOST).map(|number| format!("{}{number:02}", "ä".repeat(48))).collect();
    let post = say(store, author, NewPost { tags: tags.clone(), ..words(&channel, "words") }, time::now()).await;
    assert_eq!(store.post(None, post.id).await.expect("no failure").map(|post| post.tags), Ok(tags.clone()));
    for tag in tags {
        assert_eq!(found(store, None, PostFilter { tag: Some(tag), ..all() }).await, [post.id]);
    }
}

pub(crate) async fn posts_are_listed_newest_first_by_pages(store: &dyn Store) {
    let (author, start) = (Uuid::new_v4(), time::now());
    let (one, other) = (open(store, author, ChannelType::Public).await, open(store, author, ChannelType::Public).await);
    let mut newest_first = Vec::new();
    // Two of each moment: ties are broken by id. The pinned are not before the others here.
    for number in 0..7_i64 {
        let channel = if number % 2 == 0 { &one } else { &other };
        let post = NewPost { is_pinned: number == 0, ..words(channel, "words") };
        newest_first.insert(0, say(store, author, post, start + TimeDelta::microseconds(number / 2)).await.id);
    }
    for (page, expected) in [(1, &newest_first[..3]), (2, &newest_first[3..6]), (3, &newest_first[6..]), (4, &[][..])] {
        let (posts, total) = store.list_posts(None, &all(), Page { page, limit: 3 }).await.expect("lists");
        assert_eq!((posts.iter().map(|post| post.id).collect::<Vec<_>>().as_slice(), total), (expected, 7));
    }
    let far = Page { page: u32::MAX, limit: 100 };
    assert_eq!(store.list_posts(None, &all(), far).await.expect("lists"), (vec![], 7));
}

/// The rule and what stores make of it in SQL are the same.
pub(crate) async fn only_what_may_be_read_is_found(store: &dyn Store) {
    let [creator, member, other] = [(); 3].map(|()| Uuid::new_v4());
    for kind in [ChannelType::Public, ChannelType::Private, ChannelType::Sovereign] {
        let channel = open(store, creator, kind).await;
        if kind != ChannelType::Public {
            add(store, creator, &channel, member).await.expect("lets in");
        }
        let draft = NewPost { tags: vec!["hush".to_owned()], ..words(&channel, "hush") };
        let post = store.create_post(act(creator, time::now()), draft).await.expect("no failure").expect("permitted");
        for (viewer, is_member) in [(Some(creator), false), (Some(member), true), (Some(other), false), (None, false)] {
            let is_shown = channel.may_read(channel.standing(viewer, is_member));
            let ways = [
                PostFilter { channel_id: Some(channel.id), ..all() },
                PostFilter { channel_id: Some(channel.id), ..of_words("hush") },
                PostFilter { tag: Some("hush".to_owned()), ..all() },
                PostFilter { author: Some(creator), ..all() },
                all(),
            ];
            for filter in ways {
                let is_found = found(store, viewer, filter.clone()).await.contains(&post.id);
                assert_eq!(is_found, is_shown, "{kind:?} {viewer:?} {filter:?}");
            }
            assert_eq!(store.post(viewer, post.id).await.expect("no failure").is_ok(), is_shown, "{kind:?} {viewer:?}");
        }
    }
}

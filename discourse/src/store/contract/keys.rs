//! What holds for every act that takes a key.

use std::time::Duration;

use futures_util::future::join_all;
use kernel::time;
use storage::{idempotency::Claim, sweep::BATCH};
use uuid::Uuid;

use super::{all, draft, first_page, ids, keyed, open, read, words};
use crate::{
    channel::{Channel, ChannelQuery, ChannelType, access::ChannelError},
    post::{NewPost, PostError},
    store::{Error, Store},
};

const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// As long as a test may take.
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
enum Act {
    Open,
    Say,
}

impl Act {
    const ALL: [Self; 2] = [Self::Open, Self::Say];
}

struct Scene<'a> {
    store: &'a dyn Store,
    /// Where all may post.
    channel: Channel,
}

impl<'a> Scene<'a> {
    async fn set(store: &'a dyn Store) -> Self {
        Self { store, channel: open(store, Uuid::new_v4(), ChannelType::Public).await }
    }

    /// What a caller is told who asks for something with a key, so long after now.
    async fn told(&self, caller: Uuid, act: Act, key: &str, what: &str, later: Duration) -> Result<String, Error> {
        let (at, key) = (time::now() + later, key.parse().expect("key"));
        Ok(match act {
            Act::Open => {
                let channel = draft(what, ChannelType::Public);
                let claim = Claim::new(caller, "CreateChannel", key, &channel);
                format!("{:?}", self.store.create_channel(keyed(caller, claim, at), channel).await?)
            }
            Act::Say => {
                let post = words(&self.channel, what);
                let claim = Claim::new(caller, "CreatePost", key, &post);
                format!("{:?}", self.store.create_post(keyed(caller, claim, at), post).await?)
            }
        })
    }

    /// How often it was done.
    async fn done(&self, caller: Uuid, act: Act) -> usize {
        match act {
            Act::Open => ids(self.store, None, ChannelQuery { created_by: Some(caller), ..all() }).await.len(),
            Act::Say => read(self.store, &self.channel, &first_page(self.channel.id)).await.0.len(),
        }
    }
}

fn is_reused<T>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::KeyReused(_)))
}

pub(crate) async fn retries_of_any_act_at_once_do_it_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for act in Act::ALL {
        let caller = Uuid::new_v4();
        let told = join_all((0..16).map(|_| scene.told(caller, act, "key", "words", Duration::ZERO))).await;
        let told: Vec<_> = told.into_iter().collect::<Result<_, _>>().expect("no failure");
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{act:?}: {told:#?}");
        assert_eq!(scene.done(caller, act).await, 1, "{act:?}");
    }
}

pub(crate) async fn a_key_is_for_one_request_of_one_caller_and_act(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (caller, other) = (Uuid::new_v4(), Uuid::new_v4());
    for act in Act::ALL {
        // The same key for each act: that is another key.
        let first = scene.told(caller, act, "key", "words", Duration::ZERO).await.expect("no failure");
        assert!(is_reused(scene.told(caller, act, "key", "others", Duration::ZERO).await), "{act:?}");
        assert_eq!(
            scene.told(caller, act, "key", "words", Duration::ZERO).await.expect("no failure"),
            first,
            "{act:?}"
        );
        assert_eq!(scene.done(caller, act).await, 1, "{act:?}");
        let others = scene.told(other, act, "key", "words", Duration::ZERO).await.expect("no failure");
        assert_ne!(others, first, "{act:?}: another caller's keys are others");
        let again = scene.told(caller, act, "KEY", "words", Duration::ZERO).await.expect("no failure");
        assert_ne!(again, first, "{act:?}: another key");
    }
}

pub(crate) async fn what_was_done_counts_for_its_time_and_not_longer(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let caller = Uuid::new_v4();
    for act in Act::ALL {
        let told = async |what, later| scene.told(caller, act, "key", what, later).await;
        let first = told("words", Duration::ZERO).await.expect("no failure");
        assert_eq!(told("words", WEEK - MINUTE).await.expect("no failure"), first, "{act:?}");
        assert!(is_reused(told("others", WEEK - MINUTE).await), "{act:?}");
        // From then on it is a new key.
        assert_ne!(told("others", WEEK + MINUTE).await.expect("no failure"), first, "{act:?}");
        assert!(is_reused(told("words", WEEK + 2 * MINUTE).await), "{act:?}: it is remembered again");
        assert_eq!(scene.done(caller, act).await, 2, "{act:?}");
    }
}

pub(crate) async fn a_refused_post_is_remembered_for_an_hour(store: &dyn Store) {
    let author = Uuid::new_v4();
    // The next channel is not there yet.
    let last = open(store, author, ChannelType::Public).await;
    let post = NewPost { channel_id: last.id + 1, ..words(&last, "words") };
    let say = async |key: &str, later| {
        let claim = Claim::new(author, "CreatePost", key.parse().expect("key"), &post);
        store.create_post(keyed(author, claim, time::now() + later), post.clone()).await.expect("no failure").map(drop)
    };
    let refused = Err(PostError::Channel(ChannelError::NotFound));
    assert_eq!(say("key", Duration::ZERO).await, refused);
    assert_eq!(open(store, author, ChannelType::Public).await.id, post.channel_id, "ids follow one another");
    assert_eq!(say("key", HOUR - MINUTE).await, refused, "a retry does not do what its client was told was not done");
    assert_eq!(say("another", HOUR - MINUTE).await, Ok(()));
    assert_eq!(say("key", HOUR + MINUTE).await, Ok(()));
}

pub(crate) async fn old_outcomes_are_forgotten_and_no_others(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let caller = Uuid::new_v4();
    let opened = scene.told(caller, Act::Open, "key", "words", Duration::ZERO).await.expect("no failure");
    let nowhere = NewPost { channel_id: i64::MAX, ..words(&scene.channel, "words") };
    let keys: Vec<_> = (0..BATCH + 3).map(|number| format!("refusal-{number}")).collect();
    for some in keys.chunks(50) {
        join_all(some.iter().map(async |key| {
            let claim = Claim::new(caller, "CreatePost", key.parse().expect("key"), &nowhere);
            store.create_post(keyed(caller, claim, time::now()), nowhere.clone()).await.expect("no failure").map(drop)
        }))
        .await;
    }
    let now = time::now();
    let forget = async |later| store.forget_outcomes(now + later).await.expect("no failure");
    assert_eq!(forget(HOUR - 5 * MINUTE).await, 0);
    assert_eq!(forget(HOUR + MINUTE).await, BATCH, "at once");
    assert_eq!(forget(HOUR + MINUTE).await, 3);
    assert_eq!(forget(HOUR + MINUTE).await, 0);
    let again = scene.told(caller, Act::Open, "key", "words", Duration::ZERO).await;
    assert_eq!(again.expect("no failure"), opened, "what was done is kept");
    assert_eq!(forget(WEEK + MINUTE).await, 1);
}

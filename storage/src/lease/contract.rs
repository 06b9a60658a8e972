//! What leases must do on every store, as one test suite: `lease_contract!` makes a test of each case on a fresh store.

use std::{any::Any, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::*;

/// The leases of an empty store, seen by two processes, and what must outlive them.
pub(crate) struct Fresh {
    pub(crate) one: Arc<dyn Leases>,
    pub(crate) other: Arc<dyn Leases>,
    pub(crate) store: Arc<dyn Guarded>,
    pub(crate) _keep: Box<dyn Any + Send>,
}

/// A store whose transactions ask whether a lease is somebody's.
#[async_trait]
pub(crate) trait Guarded: Send + Sync {
    /// Whether a transaction that `token` guards is done.
    async fn passes(&self, name: &'static str, token: Token) -> bool;
}

macro_rules! lease_contract {
    ($fresh:path) => {
        $crate::lease::contract::lease_contract! { @cases $fresh, [
            of_many_who_ask_at_once_one_gets_it,
            a_lease_that_nobody_renews_is_over_after_its_time,
            a_lease_that_is_renewed_goes_on,
            a_holder_that_was_frozen_is_refused,
            what_is_given_up_is_free_at_once_and_of_no_use_to_who_had_it,
            leases_of_other_names_are_others,
            a_replica_keeps_its_lease_and_hands_it_on,
        ] }
    };
    (@cases $fresh:path, [$($case:ident,)*]) => {
        mod lease_contract {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    $crate::lease::contract::$case($fresh().await).await;
                }
            )*
        }
    };
}
pub(crate) use lease_contract;

/// So long that it does not end in a test, however slow the machine.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

async fn gets(leases: &Arc<dyn Leases>, holder: &str, term: Duration) -> Option<Token> {
    leases.acquire("work", holder, term).await.expect("answers")
}

/// Asks until it is there.
async fn waits_for(leases: &Arc<dyn Leases>, holder: &str, term: Duration) -> Token {
    let begin = Instant::now();
    loop {
        if let Some(token) = gets(leases, holder, term).await {
            return token;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody lets it go");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn of_many_who_ask_at_once_one_gets_it(fresh: Fresh) {
    let asking = (0..16).map(|number| {
        let leases = Arc::clone(if number % 2 == 0 { &fresh.one } else { &fresh.other });
        tokio::spawn(async move { leases.acquire("work", &number.to_string(), LONG).await })
    });
    let mut tokens = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        tokens.extend(asked.await.expect("no panic").expect("answers"));
    }
    assert_eq!(tokens, [Token(1)]);
    assert_eq!(gets(&fresh.one, "late", LONG).await, None);
}

pub(crate) async fn a_lease_that_nobody_renews_is_over_after_its_time(fresh: Fresh) {
    let asked = Instant::now();
    let first = gets(&fresh.one, "one", SHORT).await.expect("is free");
    let second = waits_for(&fresh.other, "other", LONG).await;
    assert!(second > first, "{second:?} after {first:?}");
    // The clock that counts is the store's, which counts milliseconds.
    assert!(asked.elapsed() > SHORT - Duration::from_millis(50), "{:?}", asked.elapsed());
}

pub(crate) async fn a_lease_that_is_renewed_goes_on(fresh: Fresh) {
    let token = gets(&fresh.one, "one", Duration::from_secs(2)).await.expect("is free");
    assert!(fresh.one.renew("work", token, LONG).await.expect("answers"));
    let over = Instant::now() + Duration::from_millis(2200);
    while Instant::now() < over {
        assert_eq!(gets(&fresh.other, "other", LONG).await, None);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(fresh.store.passes("work", token).await);
}

pub(crate) async fn a_holder_that_was_frozen_is_refused(fresh: Fresh) {
    let frozen = gets(&fresh.one, "one", SHORT).await.expect("is free");
    assert!(fresh.store.passes("work", frozen).await);
    let holder = waits_for(&fresh.other, "other", LONG).await;
    // It goes on as if nothing had happened.
    assert!(!fresh.store.passes("work", frozen).await);
    assert!(!fresh.one.renew("work", frozen, LONG).await.expect("answers"));
    fresh.one.release("work", frozen).await.expect("answers");
    assert_eq!(gets(&fresh.one, "one", LONG).await, None);
    assert!(fresh.store.passes("work", holder).await);
}

pub(crate) async fn what_is_given_up_is_free_at_once_and_of_no_use_to_who_had_it(fresh: Fresh) {
    let first = gets(&fresh.one, "one", LONG).await.expect("is free");
    fresh.one.release("work", first).await.expect("answers");
    assert!(!fresh.store.passes("work", first).await);
    assert!(!fresh.one.renew("work", first, LONG).await.expect("answers"));
    let second = gets(&fresh.other, "other", LONG).await.expect("is free at once");
    assert!(second > first);
    assert!(fresh.store.passes("work", second).await);
}

pub(crate) async fn leases_of_other_names_are_others(fresh: Fresh) {
    let work = gets(&fresh.one, "one", LONG).await.expect("is free");
    let play = fresh.other.acquire("play", "other", LONG).await.expect("answers").expect("is free");
    assert!(fresh.store.passes("work", work).await && fresh.store.passes("play", play).await);
    fresh.other.release("play", play).await.expect("answers");
    assert!(!fresh.store.passes("play", play).await && fresh.store.passes("work", work).await);
}

pub(crate) async fn a_replica_keeps_its_lease_and_hands_it_on(fresh: Fresh) {
    let (one, other) = (Lease::new(fresh.one, "work", "one"), Lease::new(fresh.other, "work", "other"));
    assert!(!one.is_held(), "nobody has asked yet");
    assert_eq!(one.keep().await.expect("answers"), Standing::Holder);
    let token = one.token().expect("has it");
    assert_eq!(one.keep().await.expect("answers"), Standing::Holder);
    assert_eq!(one.token(), Some(token), "renewed, not taken anew");
    assert_eq!(other.keep().await.expect("answers"), Standing::Waiting);
    one.release().await;
    assert!(!one.is_held());
    assert_eq!(other.keep().await.expect("answers"), Standing::Holder);
    assert!(other.token().expect("has it") > token);
}

/// A store that is down, whatever it is.
struct Down;

#[async_trait]
impl Leases for Down {
    async fn acquire(&self, _: &'static str, _: &str, _: Duration) -> Result<Option<Token>, Error> {
        Err(Error::Unavailable("down".into()))
    }

    async fn renew(&self, _: &'static str, _: Token, _: Duration) -> Result<bool, Error> {
        std::future::pending().await
    }

    async fn release(&self, _: &'static str, _: Token) -> Result<(), Error> {
        Err(Error::Unavailable("down".into()))
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_down_a_lease_goes_on_to_its_end_and_no_further() {
    let lease = Lease::new(Arc::new(Down), "work", "one");
    assert!(matches!(lease.keep().await, Err(Error::Unavailable(_))));
    assert!(!lease.is_held());
    *lease.held() = Some(Held { token: Token(7), until: Instant::now() + TERM });
    tokio::time::advance(TERM - Duration::from_millis(1)).await;
    assert_eq!(lease.token(), Some(Token(7)));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(lease.token(), None);
    let asked = Instant::now();
    assert!(matches!(lease.keep().await, Err(Error::Unavailable(_))), "a store that is silent");
    assert!(asked.elapsed() <= TERM);
    lease.release().await;
    assert!(asked.elapsed() <= TERM + RENEWAL);
}

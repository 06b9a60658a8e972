//! Tokens that have ended before they expired: by logout, or with a password, a role or an account. What the accounts
//! service knows, as far as this process has heard of it.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::Claims;

/// The accounts service says at least that there is nothing new, this often.
pub const HEARTBEAT: Duration = Duration::from_millis(300);
/// Who has heard nothing for so long may not know of a token that has ended.
pub const CURRENT: Duration = Duration::from_millis(1000);

/// What has ended. Clones share it.
#[derive(Clone, Debug)]
pub struct Ended(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: RwLock<Known>,
    since: Instant,
    /// When it was last heard that this is all, milliseconds since `since`, plus one; 0 is never.
    heard: AtomicU64,
}

/// What is said of the ends of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// A token's id, and when it expires, seconds since the epoch.
    pub tokens: Vec<(Uuid, i64)>,
    /// An account, and the generation below which all of its tokens have ended.
    pub generations: Vec<(Uuid, i64)>,
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.generations.is_empty()
    }
}

#[derive(Debug, Default)]
struct Known {
    /// Until when to remember it, seconds since the epoch, by the token's id.
    tokens: HashMap<Uuid, i64>,
    /// Below which all tokens of an account have ended.
    generations: HashMap<Uuid, i64>,
}

impl Default for Ended {
    fn default() -> Self {
        Self(Arc::new(Inner { known: RwLock::default(), since: Instant::now(), heard: AtomicU64::new(0) }))
    }
}

impl Ended {
    /// Takes note of all that has ended lately, as the accounts service tells it at `now` (seconds since the epoch); what of
    /// it is new.
    pub fn learn(&self, news: News, now: i64) -> News {
        let news = self.note(news, now);
        let millis = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.0.heard.store(millis + 1, Relaxed);
        news
    }

    /// Takes note of something that has ended; what of it is new. The same may be said twice, in any order. Tokens that
    /// have expired are forgotten.
    pub fn note(&self, mut news: News, now: i64) -> News {
        if !news.is_empty() {
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            known.tokens.retain(|_, expires_at| *expires_at > now);
            let Known { tokens, generations } = &mut *known;
            news.tokens.retain(|(id, at)| *at > now && tokens.insert(*id, *at).is_none());
            news.generations.retain(|(account, generation)| {
                let known = generations.entry(*account).or_default();
                let is_higher = generation > known;
                *known = *generation.max(known);
                is_higher
            });
        }
        news
    }

    /// All that is known.
    pub fn all(&self) -> News {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = |map: &HashMap<Uuid, i64>| map.iter().map(|(id, number)| (*id, *number)).collect();
        News { tokens: pairs(&known.tokens), generations: pairs(&known.generations) }
    }

    /// Whether it was heard within the last second that this is all.
    pub fn is_current(&self) -> bool {
        let heard = self.0.heard.load(Relaxed);
        heard > 0 && self.0.since.elapsed() < Duration::from_millis(heard - 1) + CURRENT
    }

    /// Whether a token that says `claims` has ended.
    pub(super) fn has(&self, claims: &Claims) -> bool {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.tokens.contains_key(&claims.jti)
            || known.generations.get(&claims.sub).is_some_and(|generation| claims.generation < *generation)
    }
}

//! Tickets: what stands in a URL for a token, which would stay in histories and logs. Good for a minute, and once.
//!
//! In Redis, where gateways share one; while that does not answer, in the gateway that has made it.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache as Moka;
use runtime::identity::Claims;
use tokio::time::Instant;
use uuid::Uuid;

use crate::redis::Redis;

/// How long one is good.
pub(crate) const TTL: Duration = Duration::from_secs(60);
/// That a gateway keeps itself, at most: some 6 MB.
const MAX_OWN: u64 = 10_000;
/// The longest that Redis may hold up a request.
const PATIENCE: Duration = Duration::from_millis(50);

/// Tickets that nobody has used.
pub(crate) struct Tickets {
    /// With when they were made.
    own: Moka<Uuid, (Arc<Claims>, Instant)>,
    redis: Option<Redis>,
}

impl Tickets {
    pub(crate) fn new(redis: Option<Redis>) -> Self {
        Self { own: Moka::builder().max_capacity(MAX_OWN).time_to_live(TTL).build(), redis }
    }

    /// One for whoever has a token that says this: 122 random bits.
    pub(crate) async fn issue(&self, claims: &Arc<Claims>) -> Uuid {
        let ticket = Uuid::new_v4();
        if !self.share(ticket, claims).await {
            self.own.insert(ticket, (Arc::clone(claims), Instant::now()));
        }
        ticket
    }

    async fn share(&self, ticket: Uuid, claims: &Claims) -> bool {
        let Some(redis) = &self.redis else { return false };
        let Ok(text) = serde_json::to_string(claims) else { return false };
        redis.put(PATIENCE, key(redis, ticket), text, TTL).await.is_ok()
    }

    /// What the token said that it stands for; `None` where it was used before, or is too old.
    pub(crate) async fn redeem(&self, ticket: Uuid) -> Option<Arc<Claims>> {
        if let Some((claims, made)) = self.own.remove(&ticket) {
            return (made.elapsed() < TTL).then_some(claims);
        }
        let redis = self.redis.as_ref()?;
        let text = redis.take(PATIENCE, key(redis, ticket)).await.ok()??;
        serde_json::from_str(&text).ok()
    }
}

fn key(redis: &Redis, ticket: Uuid) -> String {
    redis.key(format_args!("ticket:{ticket}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_is_good_for_a_minute_and_once() {
        let tickets = Tickets::new(None);
        let (sub, jti) = (Uuid::new_v4(), Uuid::new_v4());
        let claims =
            Claims { sub, username: "ada".to_owned(), roles: Vec::new(), jti, generation: 1, iat: 0, exp: i64::MAX };
        let claims = Arc::new(claims);
        let [first, late] = [tickets.issue(&claims).await, tickets.issue(&claims).await];
        tokio::time::advance(TTL - Duration::from_millis(1)).await;
        assert_eq!(tickets.redeem(first).await, Some(claims));
        assert_eq!(tickets.redeem(first).await, None, "it was used");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(tickets.redeem(late).await, None, "it is too old");
        assert_eq!(tickets.redeem(Uuid::new_v4()).await, None);
    }
}

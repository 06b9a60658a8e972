//! Leases in Redis: a hash each. By its clock, as the expiry of keys is not: a lease that is over still has its number.

use std::time::Duration;

use async_trait::async_trait;
use storage::{
    Error,
    lease::{Leases, Token},
};

use super::Redis;

/// KEYS[1] is the lease. `NOW` are milliseconds since the epoch.
macro_rules! script {
    ($body:literal) => {
        concat!(
            "local time = redis.call('TIME') local now = time[1] * 1000 + math.floor(time[2] / 1000)\n",
            "local token = tonumber(redis.call('HGET', KEYS[1], 'token') or 0)\n",
            "local ends = tonumber(redis.call('HGET', KEYS[1], 'expires_at') or 0)\n",
            $body
        )
    };
}

/// For ARGV[2] milliseconds to ARGV[1]; 0 where somebody has it.
const ACQUIRE: &str = script!(
    "if ends > now then return 0 end
     redis.call('HSET', KEYS[1], 'token', token + 1, 'holder', ARGV[1], 'expires_at', now + ARGV[2])
     return token + 1"
);

/// For ARGV[2] milliseconds more, where it is ARGV[1]'s.
const RENEW: &str = script!(
    "if token ~= tonumber(ARGV[1]) then return 0 end
     redis.call('HSET', KEYS[1], 'expires_at', now + ARGV[2])
     return 1"
);

/// The number goes with it: what the holder has begun under it is refused.
const RELEASE: &str = script!(
    "if token ~= tonumber(ARGV[1]) then return 0 end
     redis.call('HSET', KEYS[1], 'token', token + 1, 'expires_at', 0)
     return 1"
);

impl Redis {
    pub(super) fn lease_key(&self, name: &str) -> String {
        self.key(format_args!("lease:{name}"))
    }

    async fn lease(&self, script: &'static str, name: &str, arguments: Vec<String>) -> Result<i64, Error> {
        self.eval(script, vec![self.lease_key(name)], arguments).await
    }
}

#[async_trait]
impl Leases for Redis {
    async fn acquire(&self, name: &'static str, holder: &str, term: Duration) -> Result<Option<Token>, Error> {
        let token = self.lease(ACQUIRE, name, vec![holder.to_owned(), term.as_millis().to_string()]).await?;
        Ok((token > 0).then_some(Token(token)))
    }

    async fn renew(&self, name: &'static str, Token(token): Token, term: Duration) -> Result<bool, Error> {
        Ok(self.lease(RENEW, name, vec![token.to_string(), term.as_millis().to_string()]).await? == 1)
    }

    async fn release(&self, name: &'static str, Token(token): Token) -> Result<(), Error> {
        self.lease(RELEASE, name, vec![token.to_string()]).await.map(drop)
    }
}

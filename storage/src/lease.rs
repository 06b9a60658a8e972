//! Who of all replicas does what only one is to do: a lease of some seconds, renewed as long as its holder lives.
//!
//! The pattern is that of Chubby's and Kubernetes' leases, with a fencing token as M. Kleppmann asks for ("How to do
//! distributed locking"): a holder that was frozen does not know that its time is over, whatever it looks at before it
//! writes. So each new holder has a higher number, and what it writes is guarded by that number in the same transaction
//! (`fence` of each store): what a former holder writes late is refused.
//!
//! When a lease ends is the store's business, by the store's clock alone. A holder believes in its lease for as long
//! after it has asked, by its own monotonic clock: so it stops before anybody else begins.

#[cfg(test)]
pub(crate) mod contract;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::Error;

/// Under which everything is done that only one replica of a service is to do.
pub const TASKS: &str = "tasks";
/// How long a lease lasts that nobody renews.
pub const TERM: Duration = Duration::from_secs(3);
/// How often [`Lease::keep`] is to be called.
pub const RENEWAL: Duration = Duration::from_secs(1);

/// Which holder of a lease somebody is: each has a higher number than all before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub i64);

/// What was to be written under a lease is not: its holder has it no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease is another replica's by now")]
pub struct Fenced;

/// The leases in a store, each of a name.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Gives the lease to `holder` for `term` from now on; `None` where somebody has it.
    async fn acquire(&self, name: &'static str, holder: &str, term: Duration) -> Result<Option<Token>, Error>;

    /// Prolongs it to `term` from now on; false where it is not `token`'s any more.
    async fn renew(&self, name: &'static str, token: Token, term: Duration) -> Result<bool, Error>;

    /// Gives it up, if it is still `token`'s: whoever asks next has it.
    async fn release(&self, name: &'static str, token: Token) -> Result<(), Error>;
}

/// How a replica stands to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Holder,
    Waiting,
}

impl From<Standing> for Cow<'static, str> {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Holder => "has it".into(),
            Standing::Waiting => "waits for it".into(),
        }
    }
}

/// A lease as one replica sees it, which has it or waits for it. Cheap to clone; clones are the same replica.
#[derive(Clone)]
pub struct Lease(Arc<Inner>);

struct Inner {
    leases: Arc<dyn Leases>,
    name: &'static str,
    /// Who asks, for whoever looks into the store.
    holder: String,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Copy)]
struct Held {
    token: Token,
    until: Instant,
}

impl Lease {
    /// The lease `name` as `holder` sees it, such as `marketplace-1`.
    pub fn new(leases: Arc<dyn Leases>, name: &'static str, holder: impl Into<String>) -> Self {
        Self(Arc::new(Inner { leases, name, holder: holder.into(), held: Mutex::default() }))
    }

    /// What to guard writes with, while this replica may believe that it has the lease.
    pub fn token(&self) -> Option<Token> {
        self.held().filter(|held| Instant::now() < held.until).map(|held| held.token)
    }

    /// Whether this replica may believe that it has the lease.
    pub fn is_held(&self) -> bool {
        self.token().is_some()
    }

    /// [`Self::is_held`], for whoever asks later.
    pub fn gate(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let lease = self.clone();
        move || lease.is_held()
    }

    /// Renews the lease, or asks for it; to be called every [`RENEWAL`]. Where the store does not answer, the lease that
    /// there is goes on to its end.
    pub async fn keep(&self) -> Result<Standing, Error> {
        let asked = Instant::now();
        let late = |_| Err(Error::Unavailable(format!("no lease within {TERM:?}").into()));
        let token = tokio::time::timeout(TERM, self.renew_or_acquire()).await.unwrap_or_else(late)?;
        *self.held() = token.map(|token| Held { token, until: asked + TERM });
        Ok(if self.is_held() { Standing::Holder } else { Standing::Waiting })
    }

    async fn renew_or_acquire(&self) -> Result<Option<Token>, Error> {
        let Inner { leases, name, holder, .. } = &*self.0;
        let held = *self.held();
        if let Some(Held { token, .. }) = held
            && leases.renew(name, token, TERM).await?
        {
            return Ok(Some(token));
        }
        leases.acquire(name, holder, TERM).await
    }

    /// Gives it up, if this replica has it. To be called once nothing is done under it any more.
    pub async fn release(&self) {
        let Some(Held { token, .. }) = self.held().take() else { return };
        // Where that fails it ends by itself.
        if !matches!(tokio::time::timeout(RENEWAL, self.0.leases.release(self.0.name, token)).await, Ok(Ok(()))) {
            tracing::debug!(name = self.0.name, "the lease was not given up");
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

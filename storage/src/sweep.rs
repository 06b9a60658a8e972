//! What does not count any more is forgotten, a little at a time.

use std::{borrow::Cow, time::Duration};

/// What a store forgets in one act at most, so that no call waits long for it.
pub const BATCH: usize = 500;
/// How often.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// How much a sweep has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten(pub usize);

impl From<Forgotten> for Cow<'static, str> {
    fn from(Forgotten(count): Forgotten) -> Self {
        format!("forgot {count}").into()
    }
}

/// Makes a store forget all that does not count any more. `forget` does so with [`BATCH`] of it at most, and tells how
/// many.
pub async fn sweep<E, F>(forget: impl Fn() -> F) -> Result<Forgotten, E>
where
    F: Future<Output = Result<usize, E>>,
{
    let mut total = 0;
    loop {
        let forgotten = forget().await?;
        total += forgotten;
        if forgotten < BATCH {
            return Ok(Forgotten(total));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sweep_takes_batches_until_one_is_short() {
        let calls = std::cell::Cell::new(0);
        let forget = || {
            calls.set(calls.get() + 1);
            std::future::ready(Ok::<_, ()>(if calls.get() < 3 { BATCH } else { BATCH - 1 }))
        };
        assert_eq!(sweep(forget).await, Ok(Forgotten(3 * BATCH - 1)));
        assert_eq!(calls.get(), 3);
    }
}

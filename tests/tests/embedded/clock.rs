//! What a clock that is set does to tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// A wall clock that is so many seconds ahead.
#[derive(Clone, Default)]
struct Wall(Arc<AtomicI64>);

impl Wall {
    fn set(&self, ahead: i64) {
        self.0.store(ahead, Relaxed);
    }

    fn clock(&self) -> kernel::Clock {
        let Self(ahead) = self.clone();
        kernel::Clock::new(move || {
            let ahead = ahead.load(Relaxed);
            let by = Duration::from_secs(ahead.unsigned_abs());
            if ahead < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
        })
    }
}

#[tokio::test]
async fn an_ended_token_stays_ended_when_the_clock_is_set_back() {
    let wall = Wall::default();
    let system = crate::builder().clock(wall.clock()).start().await;
    let ada = system.user("ada").await;
    assert_eq!(ada.get("/marketplace/wallet").await.status, 200);

    // Tokens of the tests are good for an hour.
    wall.set(3601);
    assert_eq!(ada.get("/marketplace/wallet").await.problem(), (401, "token_expired"));
    for back in [0, -86_400] {
        wall.set(back);
        assert_eq!(ada.get("/marketplace/wallet").await.problem(), (401, "token_expired"), "{back}");
    }
    let bob = system.user("bob").await;
    assert_eq!(bob.get("/marketplace/wallet").await.status, 200, "who logs in now is in");
}

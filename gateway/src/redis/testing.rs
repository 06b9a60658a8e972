//! A place of its own for each test, in the Redis that `TEST_REDIS_URL` names.

use super::*;

/// Deletes all keys that begin with ARGV[1].
const DELETE: &str = "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";

/// Keys that go when this does.
pub(crate) struct Scratch {
    url: Secret,
    prefix: String,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let url = std::env::var("TEST_REDIS_URL")
            .expect("TEST_REDIS_URL is not set: `make test` starts a throw-away server and sets it");
        let prefix = format!("test-{}:", Uuid::new_v4());
        Self { url: url.into(), prefix, tasks: TaskTracker::new(), shutdown: CancellationToken::new() }
    }

    /// A connection that is up.
    pub(crate) async fn connect(&self) -> Redis {
        let redis = Redis::connect(&self.url, &self.prefix, &self.tasks, &self.shutdown).expect("a URL");
        let up = async {
            while !redis.is_up() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.expect("TEST_REDIS_URL: the server answers");
        redis
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let (url, prefix) = (self.url.clone(), self.prefix.clone());
        // A runtime of its own: the test's may be about to end.
        let deleted = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async {
                let config = Config::from_url(url.reveal())?;
                let client = Builder::from_config(config).build()?;
                client.init().await?;
                client.eval::<(), _, _, _>(DELETE, (), prefix).await
            })
        });
        // Not asserted: a test that has failed is to say why itself.
        let _ = deleted.join();
    }
}

//! A database for one test, on the server whose URI is `TEST_MONGODB_URI`.

use mongodb::{
    Client, Database,
    options::{ClientOptions, ReadConcern, WriteConcern},
};
use uuid::Uuid;

/// It goes when this does.
pub(crate) struct Scratch {
    uri: String,
    name: String,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let Ok(uri) = std::env::var("TEST_MONGODB_URI") else {
            panic!("TEST_MONGODB_URI is not set: `make test` starts a throw-away server and sets it");
        };
        Self { uri, name: format!("test-{}", Uuid::new_v4()) }
    }

    /// A client of its own.
    pub(crate) async fn connect(&self) -> Database {
        connect(&self.uri, &self.name).await
    }
}

async fn connect(uri: &str, name: &str) -> Database {
    let mut settings = ClientOptions::parse(uri).await.expect("TEST_MONGODB_URI is one");
    settings.read_concern = Some(ReadConcern::majority());
    settings.write_concern = Some(WriteConcern::majority());
    Client::with_options(settings).expect("a client").database(name)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (uri, name) = (std::mem::take(&mut self.uri), std::mem::take(&mut self.name));
        // A runtime of its own: the test's may be about to end.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(async { connect(&uri, &name).await.drop().await })
        });
        // Not asserted: a test that has failed is to say why itself.
        let _ = dropped.join();
    }
}

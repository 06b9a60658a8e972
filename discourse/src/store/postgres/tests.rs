//! On a real server, whose administrator's URL is `TEST_DATABASE_URL`. Each test has a database of its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::join_all;
use kernel::{Page, time};
use storage::postgres::scratch::Database;
use tokio::{net::TcpListener, time::timeout};

use super::*;
use crate::{
    channel::ChannelType,
    store::contract::{self, Fresh},
    topic::Topic,
};

/// Bound on what no test should have to wait for.
const PATIENCE: Duration = Duration::from_secs(10);

fn on(database: &Database) -> Postgres {
    Postgres::connect(&database.url(), &Options::default()).expect("a URL")
}

async fn connection(database: &Database) -> AsyncPgConnection {
    AsyncPgConnection::establish(&database.url()).await.expect("connects")
}

/// A store that is ready, on an empty database.
async fn start() -> (Postgres, Database) {
    let database = Database::create().await;
    let store = on(&database);
    store.check_read().await.expect("ready");
    (store, database)
}

async fn fresh() -> Fresh {
    let (store, database) = start().await;
    Fresh { store: Arc::new(store), _keep: Box::new(database) }
}

contract::store_contract!(fresh);

/// Waits until the store answers.
async fn answers(store: &Postgres) {
    let answer = async {
        while store.check_read().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, answer).await.expect("answers again");
}

/// Waits until a statement that contains `words` waits for a lock.
async fn waits_for_lock(connection: &mut AsyncPgConnection, words: &str) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'";
    let wait = async {
        loop {
            #[derive(diesel::QueryableByName)]
            struct Waiting {
                #[diesel(sql_type = BigInt)]
                count: i64,
            }
            let waiting = diesel::sql_query(waiting).bind::<Text, _>(words).get_result::<Waiting>(connection).await;
            if waiting.expect("counts").count > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("waits for a lock");
}

fn unavailable<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Unavailable(cause)) => cause.to_string(),
        other => panic!("not unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn stores_that_start_at_once_migrate_once() {
    let database = Database::create().await;
    let stores: Vec<_> = (0..8).map(|_| on(&database)).collect();
    for first_answer in join_all(stores.iter().map(Store::check_read)).await {
        first_answer.expect("no attempt fails");
    }
    let channel = contract::open(&stores[0], Uuid::new_v4(), ChannelType::Public).await;
    assert_eq!(contract::read_page(&stores[7], None, channel.id).await.expect("there").0, channel);
    let again = on(&database);
    again.check_read().await.expect("nothing is left to do");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("address");
    let store =
        Postgres::connect(&format!("postgres://postgres@{free}/discourse"), &Options::default()).expect("a URL");
    let start = Instant::now();
    assert!(unavailable(store.check_read().await).contains("Connection refused"));
    assert!(unavailable(store.channel(None, &contract::first_page(1)).await).contains("Connection refused"));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_server_that_is_silent_is_unavailable_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = silent.local_addr().expect("address");
    let store =
        Postgres::connect(&format!("postgres://postgres@{address}/discourse"), &Options::default()).expect("a URL");
    assert!(unavailable(store.channel(None, &contract::first_page(1)).await).contains("did not greet"));
    assert!(unavailable(store.check_read().await).contains("did not greet"));
}

#[tokio::test]
async fn a_database_that_comes_later_is_found() {
    let database = Database::named();
    let store = on(&database);
    assert!(unavailable(store.check_read().await).contains("does not exist"));
    database.administer(&format!("CREATE DATABASE {}", database.name())).await;
    answers(&store).await;
}

#[tokio::test]
async fn a_database_that_goes_is_noticed_at_once_and_found_again() {
    let (store, database) = start().await;
    let channel = contract::open(&store, Uuid::new_v4(), ChannelType::Public).await;
    let read = async || store.channel(None, &contract::first_page(channel.id)).await;
    database.administer(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", database.name())).await;
    database.terminate().await;
    for _ in 0..3 {
        let start = Instant::now();
        unavailable(read().await);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    database.administer(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", database.name())).await;
    answers(&store).await;
    assert_eq!(read().await.expect("reads").expect("there").0, channel);
}

#[tokio::test]
async fn lost_connections_are_not_handed_out() {
    let (store, database) = start().await;
    let query = contract::first_page(1);
    drop(join_all((0..10).map(|_| store.database.connection())).await);
    database.terminate().await;
    let mut failures = 0;
    while let Err(error) = store.channel(None, &query).await {
        unavailable::<()>(Err(error));
        // The first calls may come before the news.
        tokio::time::sleep(Duration::from_millis(50)).await;
        failures += 1;
    }
    assert!(failures < 5, "{failures}, of 10 connections");
    for answer in join_all((0..50).map(|_| store.channel(None, &query))).await {
        assert_eq!(answer.expect("no failure"), Err(ChannelError::NotFound));
    }
}

#[tokio::test]
async fn the_pool_tells_who_is_connected() {
    let (store, _database) = start().await;
    let held = store.database.connection().await.expect("connects");
    let busy = store.pool();
    assert_eq!((busy.in_use, busy.max), (1, 10), "{busy:?}");
    drop(held);
    let idle = store.pool();
    assert_eq!((idle.in_use, idle.idle), (0, busy.idle + 1), "{idle:?}");
}

const TERMINATE_WHO_WAITS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
    WHERE datname = current_database() AND wait_event_type = 'Lock'";

#[tokio::test]
async fn a_statement_that_is_cut_off_is_unavailable() {
    let (store, database) = start().await;
    let (mut locker, mut watcher) = (connection(&database).await, connection(&database).await);
    locker.batch_execute("BEGIN; LOCK TABLE channels").await.expect("locks");
    let query = contract::first_page(1);
    let cut = async {
        waits_for_lock(&mut watcher, "FULL JOIN").await;
        // Not the one that it waits for: with that one gone it might be done before its turn comes.
        watcher.batch_execute(TERMINATE_WHO_WAITS).await.expect("terminates");
    };
    let (answer, ()) = tokio::join!(store.channel(None, &query), cut);
    unavailable(answer);
    locker.batch_execute("ROLLBACK").await.expect("unlocks");
    answers(&store).await;
}

#[tokio::test]
async fn the_server_gives_up_a_statement_that_takes_too_long() {
    let (store, database) = start().await;
    let mut locker = connection(&database).await;
    locker.batch_execute("BEGIN; LOCK TABLE channels").await.expect("locks");
    assert!(unavailable(store.channel(None, &contract::first_page(1)).await).contains("statement timeout"));
    locker.batch_execute("ROLLBACK").await.expect("unlocks");
    assert_eq!(contract::read_page(&store, None, 1).await, Err(ChannelError::NotFound));
}

#[tokio::test]
async fn a_call_waits_for_a_busy_connection_but_not_for_ever() {
    let (store, _database) = start().await;
    let mut held = Vec::new();
    while let Ok(connection) = store.database.connection().await {
        held.push(connection);
    }
    assert_eq!(held.len(), 10);
    unavailable(store.channel(None, &contract::first_page(1)).await);
    store.check_read().await.expect("has connections of its own");
    store.check_write("discourse-1").await.expect("has connections of its own");
    let query = contract::first_page(1);
    let (answer, ()) = tokio::join!(store.channel(None, &query), async { held.truncate(9) });
    assert_eq!(answer.expect("on the one that was given back"), Err(ChannelError::NotFound));
}

#[tokio::test]
async fn a_channel_whose_access_changed_takes_no_post() {
    let (store, _database) = start().await;
    let channel = contract::open(&store, Uuid::new_v4(), ChannelType::Private).await;
    let post = NewPost {
        channel_id: channel.id,
        title: String::new(),
        content: "words".to_owned(),
        topic: Topic::General,
        is_pinned: false,
        tags: vec![],
    };
    let mut connection = store.database.connection().await.expect("connects");
    let act = contract::act(channel.created_by, time::now());
    let before = Channel { version: channel.version + 1, ..channel.clone() };
    for (channel, is_kept) in [(&before, false), (&channel, true)] {
        let message = post.told(7, channel, &act).expect("an event");
        let kept = queries::insert_post(&mut connection, channel, (7, &act, &post), message).await;
        assert_eq!(kept.expect("no failure"), is_kept);
        assert_eq!(
            store.outbox().pending().await.expect("reads").count,
            if is_kept { 2 } else { 1 },
            "with its channel"
        );
    }
}

#[tokio::test]
async fn the_posts_of_a_channel_are_not_read_for_who_may_not_read_them() {
    let (store, database) = start().await;
    let creator = Uuid::new_v4();
    let channel = contract::open(&store, creator, ChannelType::Private).await;
    let post = contract::words(&channel, "words");
    store.create_post(contract::act(creator, time::now()), post).await.expect("no failure").expect("permitted");
    // Whoever reads a post fails from here on.
    let trap = "CREATE FUNCTION trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'a post was read'; END $$;
         ALTER TABLE posts RENAME TO kept_posts;
         CREATE VIEW posts AS SELECT * FROM kept_posts WHERE trap()";
    connection(&database).await.batch_execute(trap).await.expect("sets");
    for (page, topic) in [(1, None), (1, Some(Topic::General)), (1_000_000, None)] {
        let query = PostQuery { topic, page: Page { page, limit: 10 }, channel_id: channel.id };
        // More often than PostgreSQL plans anew for: the plan for all parameters keeps it too.
        for viewer in [None, Some(Uuid::new_v4())].repeat(6) {
            let refused = store.channel(viewer, &query).await.expect("no failure");
            assert_eq!(refused.expect_err("refused"), ChannelError::AccessDenied);
        }
        store.channel(Some(creator), &query).await.expect_err("a post was read");
    }
}

#[tokio::test]
async fn a_database_that_is_read_only_is_read_and_its_check_of_writes_fails_until_it_is_not() {
    let (store, database) = start().await;
    let creator = Uuid::new_v4();
    let channel = contract::open(&store, creator, ChannelType::Public).await;
    let read_only = async |on: bool| {
        database
            .administer(&format!("ALTER DATABASE {} SET default_transaction_read_only = {on}", database.name()))
            .await;
        // It is for new sessions.
        database.terminate().await;
        answers(&store).await;
    };
    store.check_write("discourse-1").await.expect("writes");
    read_only(true).await;
    assert!(unavailable(store.check_write("discourse-1").await).contains("read-only"));
    assert_eq!(reads_again(&store, channel.id).await.0, channel);
    let refused =
        store.create_channel(contract::act(creator, time::now()), contract::draft("agora", ChannelType::Public)).await;
    assert!(unavailable(refused).contains("read-only"));
    read_only(false).await;
    let writes = async { while store.check_write("discourse-1").await.is_err() {} };
    timeout(PATIENCE, writes).await.expect("writes again");
}

/// The page of a channel, once connections that the server has ended are replaced.
async fn reads_again(store: &Postgres, id: i64) -> PostPage {
    let read = async {
        loop {
            if let Ok(page) = store.channel(None, &contract::first_page(id)).await {
                return page.expect("may be read");
            }
        }
    };
    timeout(PATIENCE, read).await.expect("reads")
}

#[tokio::test]
async fn a_replica_has_one_row_of_health_and_is_forgotten_a_day_after_it_went() {
    let (store, database) = start().await;
    let rows = async || {
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            replica: String,
        }
        let mut connection = connection(&database).await;
        let rows = diesel::sql_query("SELECT replica FROM health ORDER BY replica").load::<Row>(&mut connection).await;
        rows.expect("reads").into_iter().map(|row| row.replica).collect::<Vec<_>>()
    };
    for replica in ["discourse-1", "discourse-2", "discourse-1"] {
        store.check_write(replica).await.expect("writes");
    }
    assert_eq!(rows().await, ["discourse-1", "discourse-2"]);
    let old = "UPDATE health SET at = at - interval '25 hours' WHERE replica = 'discourse-2'";
    connection(&database).await.batch_execute(old).await.expect("ages");
    on(&database).check_read().await.expect("starts");
    assert_eq!(rows().await, ["discourse-1"]);
}

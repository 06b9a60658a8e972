use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    time::{Duration, Instant},
};

use diesel::{RunQueryDsl, sql_types::BigInt};

use super::*;

const NO_MIGRATIONS: EmbeddedMigrations = EmbeddedMigrations::new(&[]);

fn open(directory: &tempfile::TempDir) -> Sqlite {
    let data_dir = DataDir::open(directory.path(), true).expect("shared");
    Sqlite::open(&data_dir, "test.db", NO_MIGRATIONS).expect("opens")
}

async fn execute(db: &Sqlite, sql: &'static str) -> Result<usize, Error> {
    db.write(move |c| Ok(diesel::sql_query(sql).execute(c)?)).await
}

async fn count(db: &Sqlite) -> i64 {
    let rows = diesel::dsl::sql::<BigInt>("SELECT count(*) FROM t");
    db.read(move |c| Ok::<_, Error>(rows.get_result(c)?)).await.expect("reads")
}

#[tokio::test]
async fn the_pool_tells_who_reads() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    let state = |in_use, idle| PoolState { in_use, idle, max: READERS as u64 };
    assert_eq!(db.pool(), state(0, 0));
    db.read(|_| {
        assert_eq!(db.pool(), state(1, 0));
        Ok::<_, Error>(())
    })
    .await
    .expect("reads");
    assert_eq!(db.pool(), state(0, 1));
}

#[tokio::test]
async fn a_failed_write_takes_nothing_with_it() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    // All in one batch or not: each stands or falls alone.
    let half = db.write(|c| {
        diesel::sql_query("INSERT INTO t VALUES (1)").execute(c)?;
        Ok::<_, Error>(diesel::sql_query("INSERT INTO t VALUES (1)").execute(c)?)
    });
    let (whole, half) = tokio::join!(execute(&db, "INSERT INTO t VALUES (2)"), half);
    assert!(whole.is_ok() && half.is_err());
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_panicking_write_fails_alone_or_with_its_batch_and_the_next_one_works() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    let panicked = db.write(|_| -> Result<(), Error> { panic!("on purpose") }).await;
    assert!(matches!(panicked, Err(Error::Closed)));
    execute(&db, "INSERT INTO t VALUES (1)").await.expect("inserts");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    let inserts = (0..100).map(|_| execute(&db, "INSERT INTO t DEFAULT VALUES"));
    for inserted in futures_util::future::join_all(inserts).await {
        inserted.expect("inserts");
    }
    let other = open(&directory);
    assert_eq!(count(&other).await, 100);
}

/// Polls for 20 seconds at most.
async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < patience, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_writer_that_cannot_reopen_refuses_at_once_tries_on_and_comes_back() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    db.check_write().await.expect("writes");
    let (path, aside) = (directory.path().join("test.db"), directory.path().join("aside.db"));
    fs::rename(&path, &aside).expect("moved away");
    // It cannot go on with this connection, and gets no other.
    db.write(|_| -> Result<(), Error> { panic!("on purpose") }).await.expect_err("panics");
    for _ in 0..3 {
        let asked = Instant::now();
        assert!(matches!(execute(&db, "INSERT INTO t DEFAULT VALUES").await, Err(Error::Closed)));
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    // What was found out before is not believed for ever.
    eventually("health knows", async || db.check_write().await.is_err_and(|error| error.is_unavailable())).await;
    db.check_read().await.expect("reads go on");
    assert!(!path.exists(), "nobody makes an empty one");
    fs::rename(&aside, &path).expect("moved back");
    eventually("it writes again", async || execute(&db, "INSERT INTO t DEFAULT VALUES").await.is_ok()).await;
    db.check_write().await.expect("health knows");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_writer_without_a_file_still_ends_with_its_last_handle() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    fs::rename(directory.path().join("test.db"), directory.path().join("aside.db")).expect("moved away");
    db.write(|_| -> Result<(), Error> { panic!("on purpose") }).await.expect_err("panics");
    let ended = tokio::task::spawn_blocking(|| drop(db));
    tokio::time::timeout(Duration::from_secs(20), ended).await.expect("ends").expect("no panic");
}

#[tokio::test]
async fn a_damaged_page_stops_writes_until_the_file_is_sound_again() {
    const FILL: &str = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO t (id, what) SELECT i, hex(randomblob(100)) FROM n";
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY, what TEXT)").await.expect("creates");
    execute(&db, FILL).await.expect("fills");
    drop(db);

    // Whole pages in the middle of the file, which is a good hundred pages long.
    let (path, hole) = (directory.path().join("test.db"), 200 * 1024..240 * 1024);
    let sound = fs::read(&path).expect("read");
    let mut damaged = sound.clone();
    damaged[hole].fill(0xA5);
    fs::write(&path, &damaged).expect("written");
    let db = open(&directory);
    db.check_write().await.expect("nobody has come upon it yet");
    let sum = || {
        db.read(|c| Ok::<_, Error>(diesel::dsl::sql::<BigInt>("SELECT sum(length(what)) FROM t").get_result::<i64>(c)?))
    };
    assert!(sum().await.expect_err("damaged").is_unavailable());
    assert!(matches!(db.check_write().await, Err(Error::Damaged(_))));
    db.check_read().await.expect("what is not damaged is read");

    // What was written since is in the log beside the file.
    let file = fs::OpenOptions::new().write(true).open(&path).expect("opens");
    file.write_all_at(&sound[200 * 1024..240 * 1024], 200 * 1024).expect("mended");
    eventually("it is looked at again", async || db.check_write().await.is_ok()).await;
    assert_eq!(sum().await.expect("sound"), 2000 * 200);
}

#[tokio::test]
async fn all_files_are_private_also_those_of_before() {
    let directory = tempfile::tempdir().expect("directory");
    let (db, path) = (open(&directory), directory.path().join("test.db"));
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    let files = ["test.db", "test.db-wal", "test.db-shm", "test.lock"].map(|name| directory.path().join(name));
    let modes = || files.clone().map(|file| fs::metadata(file).expect("there").permissions().mode() & 0o777);
    assert_eq!(modes(), [0o600; 4]);
    // With the log of a process that was killed.
    for file in &files {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("set");
    }
    let other = open(&directory);
    execute(&other, "INSERT INTO t DEFAULT VALUES").await.expect("inserts");
    assert_eq!(modes(), [0o600; 4], "{}", path.display());
}

#[tokio::test]
async fn replicas_that_share_a_file_write_one_row_a_second_together() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await.expect("creates");
    execute(&db, "CREATE TRIGGER told AFTER UPDATE ON health BEGIN INSERT INTO t VALUES (NULL); END")
        .await
        .expect("creates");
    db.check_write().await.expect("writes");
    for checked in futures_util::future::join_all((0..6).map(|_| db.check_write())).await {
        checked.expect("answers");
    }
    assert_eq!(count(&db).await, 0, "one insert and no update");
    eventually("the next second has a row of its own", async || {
        db.check_write().await.expect("writes");
        count(&db).await == 1
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_grow_is_unavailable_and_no_bug() {
    let directory = tempfile::tempdir().expect("directory");
    let db = open(&directory);
    execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY, what TEXT)").await.expect("creates");
    execute(&db, "PRAGMA max_page_count = 10").await.expect("as it would be on a full disk");
    let error = execute(&db, "INSERT INTO t (what) VALUES (zeroblob(100000))").await.expect_err("full");
    assert!(error.is_unavailable(), "{error:?}");
    db.check_read().await.expect("reads go on");
}

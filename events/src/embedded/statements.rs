//! What the embedded log asks SQLite.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_query, sql_types::Text};
use storage::Error;
use uuid::Uuid;

use crate::log;

diesel::table! {
    entries (position) {
        position -> BigInt,
        published_at -> BigInt,
        event -> Text,
    }
}

diesel::table! {
    deliveries (work_group, position) {
        work_group -> Text,
        position -> BigInt,
        owner -> Text,
        leased_until -> BigInt,
        attempts -> BigInt,
    }
}

diesel::table! {
    dead_letters (work_group, position) {
        work_group -> Text,
        position -> BigInt,
        reason -> Text,
        at -> BigInt,
    }
}

diesel::joinable!(deliveries -> entries (position));
diesel::joinable!(dead_letters -> entries (position));
diesel::allow_tables_to_appear_in_same_query!(deliveries, dead_letters, entries);

/// The deliveries of a group that nobody has.
macro_rules! waiting {
    ($group:expr, $at:expr) => {
        deliveries::table
            .filter(deliveries::work_group.eq($group))
            .filter(deliveries::leased_until.le($at.timestamp_micros()))
    };
}

pub(super) struct NewEntry {
    /// JSON.
    pub(super) event: String,
    pub(super) groups: Vec<&'static str>,
}

#[derive(Queryable)]
pub(super) struct EntryRow {
    pub(super) position: i64,
    pub(super) published_at: i64,
    pub(super) event: String,
}

/// Adds entries, and what there is to do with them.
pub(super) fn append(c: &mut SqliteConnection, rows: &[NewEntry], at: DateTime<Utc>) -> Result<(), Error> {
    let at = at.timestamp_micros();
    for row in rows {
        let position: i64 = diesel::insert_into(entries::table)
            .values((entries::published_at.eq(at), entries::event.eq(&row.event)))
            .returning(entries::position)
            .get_result(c)?;
        for group in &row.groups {
            diesel::insert_into(deliveries::table)
                .values((deliveries::work_group.eq(group), deliveries::position.eq(position)))
                .execute(c)?;
        }
    }
    Ok(())
}

/// The entries that follow a position.
pub(super) fn after(c: &mut SqliteConnection, position: i64, most: i64) -> Result<Vec<EntryRow>, Error> {
    Ok(entries::table.filter(entries::position.gt(position)).order(entries::position).limit(most).load(c)?)
}

/// The position of the newest entry, 0 where there is none.
pub(super) fn newest(c: &mut SqliteConnection) -> Result<i64, Error> {
    let newest: Option<i64> = entries::table.select(diesel::dsl::max(entries::position)).get_result(c)?;
    Ok(newest.unwrap_or(0))
}

/// The position before the first entry that was published since then.
pub(super) fn before(c: &mut SqliteConnection, time: DateTime<Utc>) -> Result<i64, Error> {
    let since = entries::published_at.ge(time.timestamp_micros());
    let first: Option<i64> = entries::table.filter(since).select(diesel::dsl::min(entries::position)).get_result(c)?;
    first.map_or_else(|| newest(c), |first| Ok(first - 1))
}

/// Whether there is something to do for a group that nobody has.
pub(super) fn is_waiting(c: &mut SqliteConnection, group: &str, at: DateTime<Utc>) -> Result<bool, Error> {
    Ok(diesel::select(diesel::dsl::exists(waiting!(group, at))).get_result(c)?)
}

/// Gives the oldest events that nobody has to a worker. Those that were given too often are given up.
pub(super) fn claim(
    c: &mut SqliteConnection,
    group: &str,
    owner: &str,
    most: i64,
    (at, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<(EntryRow, bool)>, Error> {
    let found: Vec<(EntryRow, i64)> = waiting!(group, at)
        .inner_join(entries::table)
        .order(deliveries::position)
        .limit(most)
        .select(((entries::position, entries::published_at, entries::event), deliveries::attempts))
        .load(c)?;
    let mut given = Vec::with_capacity(found.len());
    for (entry, attempts) in found {
        if attempts >= super::work::MOST_ATTEMPTS {
            give_up(c, group, entry.position, super::work::TOO_OFTEN, at)?;
            continue;
        }
        diesel::update(deliveries::table.find((group, entry.position)))
            .set((
                deliveries::owner.eq(owner),
                deliveries::leased_until.eq(until.timestamp_micros()),
                deliveries::attempts.eq(attempts + 1),
            ))
            .execute(c)?;
        given.push((entry, attempts > 0));
    }
    Ok(given)
}

/// Sets how long a worker has an event, where it is still that worker's: 0 gives it back.
pub(super) fn lease(
    c: &mut SqliteConnection,
    group: &str,
    owner: &str,
    position: i64,
    until: i64,
) -> Result<(), Error> {
    let its = deliveries::table.find((group, position)).filter(deliveries::owner.eq(owner));
    diesel::update(its).set(deliveries::leased_until.eq(until)).execute(c)?;
    Ok(())
}

/// It is done, whoever did it.
pub(super) fn acknowledge(c: &mut SqliteConnection, group: &str, position: i64) -> Result<(), Error> {
    diesel::delete(deliveries::table.find((group, position))).execute(c)?;
    Ok(())
}

/// It is a dead letter now.
pub(super) fn give_up(
    c: &mut SqliteConnection,
    group: &str,
    position: i64,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    acknowledge(c, group, position)?;
    diesel::replace_into(dead_letters::table)
        .values((
            dead_letters::work_group.eq(group),
            dead_letters::position.eq(position),
            dead_letters::reason.eq(reason),
            dead_letters::at.eq(at.timestamp_micros()),
        ))
        .execute(c)?;
    Ok(())
}

#[derive(Queryable)]
pub(super) struct DeadRow {
    event: String,
    reason: String,
    at: i64,
}

/// The oldest dead letters of a group.
pub(super) fn dead(c: &mut SqliteConnection, group: &str, most: i64) -> Result<Vec<DeadRow>, Error> {
    Ok(dead_letters::table
        .inner_join(entries::table)
        .filter(dead_letters::work_group.eq(group))
        .order(dead_letters::position)
        .limit(most)
        .select((entries::event, dead_letters::reason, dead_letters::at))
        .load(c)?)
}

impl TryFrom<DeadRow> for log::DeadLetter {
    type Error = log::Error;

    fn try_from(row: DeadRow) -> Result<Self, log::Error> {
        let event = super::Event::from_json(row.event.as_bytes()).map_err(log::Error::failed)?;
        let at = DateTime::from_timestamp_micros(row.at).unwrap_or_default();
        Ok(Self { event, reason: row.reason, at })
    }
}

/// Makes dead letters something to do again: that of one event, or all of the group.
pub(super) fn retry(c: &mut SqliteConnection, group: &str, event: Option<Uuid>) -> Result<usize, Error> {
    const ITS: &str = "work_group = ?1 AND (?2 = '' OR EXISTS
        (SELECT 1 FROM entries e WHERE e.position = dead_letters.position AND e.event ->> 'id' = ?2))";
    let event = event.map(|id| id.to_string()).unwrap_or_default();
    let run = |c: &mut SqliteConnection, statement: &str| {
        sql_query(format!("{statement} {ITS}")).bind::<Text, _>(group).bind::<Text, _>(&event).execute(c)
    };
    run(
        c,
        "INSERT OR IGNORE INTO deliveries (work_group, position) SELECT work_group, position FROM dead_letters WHERE",
    )?;
    Ok(run(c, "DELETE FROM dead_letters WHERE")?)
}

/// What a group has before it.
pub(super) fn backlog(c: &mut SqliteConnection, group: &str, at: DateTime<Utc>) -> Result<log::Backlog, Error> {
    let waiting: i64 = waiting!(group, at).count().get_result(c)?;
    let dead: i64 = dead_letters::table.filter(dead_letters::work_group.eq(group)).count().get_result(c)?;
    Ok(log::Backlog { waiting: waiting.unsigned_abs(), dead: dead.unsigned_abs() })
}

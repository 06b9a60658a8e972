//! What changes the views.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::max,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
    upsert::excluded,
};
use storage::{lease, lease::Token, sql::immediately, sqlite};
use uuid::Uuid;

use super::{
    Error, Target, read,
    schema::{active, channels, entries, lists, marks, members, totals, views},
};
use crate::{
    plan::{Batch, Change, Plan, Row},
    view::{ACTIVE, Head, List, Scale},
};

/// Slots are used again by what is later, and what is earlier is not counted any more.
const COUNT: &str = "INSERT INTO rates (view, width, slot, start, count) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (view, width, slot) DO UPDATE SET
         count = CASE WHEN start = excluded.start THEN count + excluded.count
                      WHEN start < excluded.start THEN excluded.count ELSE count END,
         start = max(start, excluded.start)";

const NOTE: &str = "INSERT INTO active (view, user, at) VALUES (?1, ?2, ?3)
     ON CONFLICT (view, user) DO UPDATE SET at = max(at, excluded.at)";

const MARK: &str = "INSERT INTO reads (user, number) VALUES (?1, ?2)
     ON CONFLICT (user) DO UPDATE SET number = max(number, excluded.number)";

/// An old event that comes late is no reason to know less.
const AS_OF: &str = "INSERT INTO marks (name, value) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";

/// Only who has the lease goes on, until the transaction is at its end.
pub(super) fn fence(c: &mut SqliteConnection, token: Token) -> Result<(), Error> {
    Ok(immediately(sqlite::fence(c, lease::TASKS, token))??)
}

pub(super) fn apply(c: &mut SqliteConnection, token: Token, target: Target, batch: &Batch) -> Result<usize, Error> {
    fence(c, token)?;
    let view = read::view(c, target)?.ok_or_else(super::lost)?;
    let known = read::channels(c, view.id, &batch.channels())?;
    let plan = batch.plan(view.head, known);
    if plan.applied > 0 {
        execute(c, view.id, &plan)?;
    }
    if let (Target::Current, Some(as_of)) = (target, plan.head.published_at) {
        note_as_of(c, as_of)?;
    }
    Ok(plan.applied)
}

pub(super) fn begin(c: &mut SqliteConnection, token: Token) -> Result<Head, Error> {
    fence(c, token)?;
    match read::view(c, Target::Current)? {
        Some(view) => Ok(view.head),
        None => begin_set(c, Target::Current),
    }
}

/// An empty set, in an epoch of its own.
pub(super) fn begin_set(c: &mut SqliteConnection, target: Target) -> Result<Head, Error> {
    let head = Head::new(Uuid::new_v4());
    let values = (views::phase.eq(read::phase(target)), views::head.eq(encode(&head)?));
    diesel::insert_into(views::table).values(values).execute(c)?;
    Ok(head)
}

pub(super) fn encode<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    Ok(serde_json::to_string(value).map_err(storage::Error::damaged)?)
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn execute(c: &mut SqliteConnection, view: i64, plan: &Plan) -> Result<(), Error> {
    for change in &plan.changes {
        step(c, view, change)?;
    }
    for (id, channel) in &plan.channels {
        let values = (channels::view.eq(view), channels::id.eq(id), channels::channel.eq(encode(channel)?));
        diesel::replace_into(channels::table).values(values).execute(c)?;
    }
    for (kind, more) in &plan.totals {
        diesel::insert_into(totals::table)
            .values((totals::view.eq(view), totals::type_.eq(kind), totals::count.eq(number(*more))))
            .on_conflict((totals::view, totals::type_))
            .do_update()
            .set(totals::count.eq(totals::count + excluded(totals::count)))
            .execute(c)?;
    }
    for ((scale, start), more) in &plan.rates {
        count(c, view, *scale, *start, *more)?;
    }
    note_active(c, view, plan)?;
    diesel::update(views::table.find(view)).set(views::head.eq(encode(&plan.head)?)).execute(c)?;
    Ok(())
}

fn step(c: &mut SqliteConnection, view: i64, change: &Change) -> Result<(), Error> {
    let of_view = entries::table.filter(entries::view.eq(view));
    match change {
        Change::Put(list, row) => put(c, view, list, row)?,
        Change::Scrub(thing) => {
            diesel::delete(of_view.filter(entries::thing.eq(thing))).execute(c)?;
        }
        Change::ScrubChannel(id) => {
            diesel::delete(of_view.filter(entries::channel.eq(id))).execute(c)?;
            diesel::delete(members::table.filter(members::view.eq(view).and(members::channel.eq(id)))).execute(c)?;
        }
        Change::Hide(id) => {
            let of_all = entries::list.like(format!("{}%", List::OF_ALL));
            diesel::delete(of_view.filter(entries::channel.eq(id).and(of_all))).execute(c)?;
        }
        Change::Join(id, user) => {
            let values = (members::view.eq(view), members::channel.eq(id), members::user.eq(user.to_string()));
            diesel::replace_into(members::table).values(values).execute(c)?;
        }
        Change::Leave(id, user) => {
            diesel::delete(members::table.find((view, id, user.to_string()))).execute(c)?;
        }
    }
    Ok(())
}

fn put(c: &mut SqliteConnection, view: i64, list: &List, row: &Row) -> Result<(), Error> {
    let name = list.to_string();
    let newest: i64 = diesel::insert_into(lists::table)
        .values((lists::view.eq(view), lists::list.eq(&name), lists::newest.eq(1)))
        .on_conflict((lists::view, lists::list))
        .do_update()
        .set(lists::newest.eq(lists::newest + 1))
        .returning(lists::newest)
        .get_result(c)?;
    diesel::insert_into(entries::table)
        .values((
            entries::view.eq(view),
            entries::list.eq(&name),
            entries::number.eq(newest),
            entries::thing.eq(&row.thing),
            entries::channel.eq(row.channel),
            entries::entry.eq(&row.json),
        ))
        .execute(c)?;
    let old = entries::view.eq(view).and(entries::list.eq(&name)).and(entries::number.le(newest - number(list.most())));
    diesel::delete(entries::table.filter(old)).execute(c)?;
    Ok(())
}

fn count(c: &mut SqliteConnection, view: i64, scale: Scale, start: i64, more: u64) -> Result<(), Error> {
    sql_query(COUNT)
        .bind::<BigInt, _>(view)
        .bind::<BigInt, _>(scale.width)
        .bind::<BigInt, _>(scale.slot(start))
        .bind::<BigInt, _>(start)
        .bind::<BigInt, _>(number(more))
        .execute(c)?;
    Ok(())
}

fn note_active(c: &mut SqliteConnection, view: i64, plan: &Plan) -> Result<(), Error> {
    for (user, at) in &plan.active {
        let at = at.timestamp_micros();
        let note = sql_query(NOTE).bind::<BigInt, _>(view).bind::<Text, _>(user.to_string()).bind::<BigInt, _>(at);
        note.execute(c)?;
    }
    if let Some(newest) = plan.active.values().max() {
        let old = active::view.eq(view).and(active::at.lt((*newest - ACTIVE).timestamp_micros()));
        diesel::delete(active::table.filter(old)).execute(c)?;
    }
    Ok(())
}

pub(super) fn caught_up(c: &mut SqliteConnection, token: Token, as_of: DateTime<Utc>) -> Result<(), Error> {
    fence(c, token)?;
    note_as_of(c, as_of)
}

fn note_as_of(c: &mut SqliteConnection, as_of: DateTime<Utc>) -> Result<(), Error> {
    let (name, at) = (read::AS_OF, as_of.timestamp_micros());
    sql_query(AS_OF).bind::<Text, _>(name).bind::<BigInt, _>(at).execute(c)?;
    Ok(())
}

pub(super) fn mark(c: &mut SqliteConnection, name: &str, value: i64) -> Result<(), Error> {
    diesel::replace_into(marks::table).values((marks::name.eq(name), marks::value.eq(value))).execute(c)?;
    Ok(())
}

pub(super) fn mark_read(c: &mut SqliteConnection, user: Uuid, up_to: Option<u64>) -> Result<u64, Error> {
    let list = List::Notices(user).to_string();
    let newest: Option<i64> = match read::view(c, Target::Current)? {
        Some(view) => lists::table.find((view.id, list)).select(max(lists::newest)).get_result(c)?,
        None => None,
    };
    let newest = newest.unwrap_or(0);
    let read = up_to.map_or(newest, |up_to| number(up_to).min(newest));
    sql_query(MARK).bind::<Text, _>(user.to_string()).bind::<BigInt, _>(read).execute(c)?;
    let first = kernel::Page { page: 1, limit: 1 };
    Ok(read::notices(c, user, first)?.found.unread)
}

//! What the views are asked.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sql_types::BigInt};
use kernel::Page;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    Error, ListPage, Notices, Read, Stats, Target,
    apply::number,
    schema::{active, channels as known, entries, marks, members, rates, reads, totals, views},
};
use crate::{
    channel::{Access, Channel},
    entry::Listed,
    view::{ACTIVE, Head, List, Scale},
};

/// The name of the mark of how much is applied.
pub(super) const AS_OF: &str = "as_of";

/// A set of views.
pub(super) struct View {
    pub(super) id: i64,
    pub(super) head: Head,
}

pub(super) fn phase(target: Target) -> &'static str {
    match target {
        Target::Current => "current",
        Target::Building => "building",
    }
}

pub(super) fn view(c: &mut SqliteConnection, target: Target) -> Result<Option<View>, Error> {
    let of_phase = views::table.filter(views::phase.eq(phase(target))).select((views::id, views::head));
    let row: Option<(i64, String)> = of_phase.first(c).optional()?;
    row.map(|(id, head)| Ok(View { id, head: decode(&head)? })).transpose()
}

fn decode<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(json).map_err(storage::Error::damaged)?)
}

/// Runs `find` on the current views; where nothing was ever applied there is nothing in them.
fn current<T>(
    c: &mut SqliteConnection,
    find: impl FnOnce(&mut SqliteConnection, i64) -> Result<T, Error>,
) -> Result<Read<T>, Error> {
    // No view has this id.
    const NONE: i64 = 0;
    let View { id, head } = view(c, Target::Current)?.unwrap_or(View { id: NONE, head: Head::new(Uuid::nil()) });
    let as_of: Option<i64> = marks::table.find(AS_OF).select(marks::value).get_result(c).optional()?;
    Ok(Read { head, as_of: as_of.and_then(DateTime::from_timestamp_micros), found: find(c, id)? })
}

pub(super) fn progress(c: &mut SqliteConnection) -> Result<Read<()>, Error> {
    current(c, |_, _| Ok(()))
}

pub(super) fn page(c: &mut SqliteConnection, list: &List, page: Page) -> Result<Read<ListPage>, Error> {
    current(c, |c, view| list_page(c, view, list, page))
}

fn list_page(c: &mut SqliteConnection, view: i64, list: &List, page: Page) -> Result<ListPage, Error> {
    let of_list = entries::view.eq(view).and(entries::list.eq(list.to_string()));
    let total: i64 = entries::table.filter(of_list.clone()).count().get_result(c)?;
    let rows: Vec<(i64, String)> = entries::table
        .filter(of_list)
        .order(entries::number.desc())
        .limit(i64::from(page.limit))
        .offset(page.offset())
        .select((entries::number, entries::entry))
        .load(c)?;
    Ok(ListPage { entries: rows.into_iter().map(listed).collect::<Result<_, _>>()?, total: total.unsigned_abs() })
}

fn listed((number, entry): (i64, String)) -> Result<Listed, Error> {
    Ok(Listed { number: number.unsigned_abs(), entry: decode(&entry)? })
}

pub(super) fn after(c: &mut SqliteConnection, after: u64, most: u64) -> Result<Read<Vec<Listed>>, Error> {
    current(c, |c, view| {
        let of_all = entries::view.eq(view).and(entries::list.eq(List::All.to_string()));
        let rows: Vec<(i64, String)> = entries::table
            .filter(of_all.and(entries::number.gt(number(after))))
            .order(entries::number)
            .limit(number(most))
            .select((entries::number, entries::entry))
            .load(c)?;
        rows.into_iter().map(listed).collect()
    })
}

pub(super) fn notices(c: &mut SqliteConnection, user: Uuid, page: Page) -> Result<Read<Notices>, Error> {
    current(c, |c, view| {
        let list = List::Notices(user);
        let read: Option<i64> = reads::table.find(user.to_string()).select(reads::number).get_result(c).optional()?;
        let read = read.unwrap_or(0);
        let of_list = entries::view.eq(view).and(entries::list.eq(list.to_string()));
        let unread: i64 = entries::table.filter(of_list.and(entries::number.gt(read))).count().get_result(c)?;
        let page = list_page(c, view, &list, page)?;
        Ok(Notices { page, read: read.unsigned_abs(), unread: unread.unsigned_abs() })
    })
}

pub(super) fn channels(c: &mut SqliteConnection, view: i64, ids: &[i64]) -> Result<HashMap<i64, Channel>, Error> {
    let of_view = known::table.filter(known::view.eq(view).and(known::id.eq_any(ids)));
    let rows: Vec<(i64, String)> = of_view.select((known::id, known::channel)).load(c)?;
    rows.into_iter().map(|(id, channel)| Ok((id, decode(&channel)?))).collect()
}

pub(super) fn accesses(
    c: &mut SqliteConnection,
    viewer: Option<Uuid>,
    ids: &[i64],
) -> Result<HashMap<i64, Access>, Error> {
    let found = current(c, |c, view| {
        let joined: Vec<i64> = match viewer {
            Some(viewer) => members::table
                .filter(members::view.eq(view).and(members::channel.eq_any(ids)))
                .filter(members::user.eq(viewer.to_string()))
                .select(members::channel)
                .load(c)?,
            None => Vec::new(),
        };
        let channels = channels(c, view, ids)?.into_iter();
        Ok(channels.map(|(id, channel)| (id, Access { channel, is_member: joined.contains(&id) })).collect())
    });
    Ok(found?.found)
}

pub(super) fn stats(c: &mut SqliteConnection, at: DateTime<Utc>) -> Result<Read<Stats>, Error> {
    let is_rebuilding = super::rebuild::is_due(c)?;
    current(c, |c, view| {
        let of_view = totals::table.filter(totals::view.eq(view));
        let found: Vec<(String, i64)> = of_view.select((totals::type_, totals::count)).load(c)?;
        let mut counts = [0; 3];
        for (count, scale) in counts.iter_mut().zip(Scale::ALL) {
            *count = rate(c, view, scale, at)?;
        }
        let since = (at - ACTIVE).timestamp_micros();
        let users: i64 = active::table.filter(active::view.eq(view).and(active::at.gt(since))).count().get_result(c)?;
        Ok(Stats {
            totals: found.into_iter().map(|(kind, count)| (kind, count.unsigned_abs())).collect(),
            rates: counts,
            active_users: users.unsigned_abs(),
            is_rebuilding,
        })
    })
}

fn rate(c: &mut SqliteConnection, view: i64, scale: Scale, at: DateTime<Utc>) -> Result<u64, Error> {
    let counting = rates::view.eq(view).and(rates::width.eq(scale.width)).and(rates::start.gt(scale.since(at)));
    // A sum of SQLite's is an integer where all are; diesel thinks of PostgreSQL's.
    let of_all = diesel::dsl::sql::<BigInt>("COALESCE(SUM(count), 0)");
    let sum: i64 = rates::table.filter(counting).select(of_all).get_result(c)?;
    Ok(sum.unsigned_abs())
}

//! A second set of views, made beside the one that is read.

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Bool},
};
use storage::{lease::Token, sweep::BATCH};

use super::{
    Error, Target,
    apply::{begin_set, encode, fence, mark, number},
    read,
    schema::{marks, views},
};
use crate::view::{Head, List};

/// The name of the mark that the views are to be made anew.
const REBUILD: &str = "rebuild";

/// Tables that have a part of each set, and their keys.
const PARTS: [(&str, &str); 7] = [
    ("entries", "view, list, number"),
    ("lists", "view, list"),
    ("channels", "view, id"),
    ("members", "view, channel, user"),
    ("totals", "view, type"),
    ("rates", "view, width, slot"),
    ("active", "view, user"),
];

/// An entry for all of the one set (?1) that is young enough to be in the other one (?2) too, and is not, as the same.
const DIFFERS: &str = "SELECT EXISTS (SELECT 1 FROM entries old WHERE view = ?1 AND list = 'all' AND number > ?3
     AND NOT EXISTS (SELECT 1 FROM entries new WHERE new.view = ?2 AND new.list = 'all' AND new.number = old.number
         AND new.entry = old.entry)) AS found";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

pub(super) fn request(c: &mut SqliteConnection) -> Result<(), Error> {
    mark(c, REBUILD, 1)
}

pub(super) fn is_due(c: &mut SqliteConnection) -> Result<bool, Error> {
    let marked: i64 = marks::table.find(REBUILD).count().get_result(c)?;
    let begun: i64 = views::table.filter(views::phase.eq(read::phase(Target::Building))).count().get_result(c)?;
    Ok(marked + begun > 0)
}

pub(super) fn begin(c: &mut SqliteConnection, token: Token) -> Result<Head, Error> {
    fence(c, token)?;
    diesel::delete(marks::table.find(REBUILD)).execute(c)?;
    diesel::delete(views::table.filter(views::phase.eq(read::phase(Target::Building)))).execute(c)?;
    begin_set(c, Target::Building)
}

pub(super) fn switch(c: &mut SqliteConnection, token: Token) -> Result<bool, Error> {
    fence(c, token)?;
    let Some(mut new) = read::view(c, Target::Building)? else { return Ok(false) };
    if let Some(old) = read::view(c, Target::Current)? {
        if !new.head.sequences.cover(&old.head.sequences) {
            return Ok(false);
        }
        if new.head.number >= old.head.number && !differs(c, &old, &new)? {
            new.head.epoch = old.head.epoch;
        }
        diesel::delete(views::table.find(old.id)).execute(c)?;
    }
    diesel::update(views::table.find(new.id))
        .set((views::phase.eq(read::phase(Target::Current)), views::head.eq(encode(&new.head)?)))
        .execute(c)?;
    Ok(true)
}

fn differs(c: &mut SqliteConnection, old: &read::View, new: &read::View) -> Result<bool, Error> {
    let found: Found = sql_query(DIFFERS)
        .bind::<BigInt, _>(old.id)
        .bind::<BigInt, _>(new.id)
        .bind::<BigInt, _>(number(new.head.number) - number(List::PUBLIC))
        .get_result(c)?;
    Ok(found.found)
}

pub(super) fn sweep(c: &mut SqliteConnection) -> Result<usize, storage::Error> {
    let mut left = BATCH;
    for (part, key) in PARTS {
        let delete = format!(
            "DELETE FROM {part} WHERE ({key}) IN (SELECT {key} FROM {part}
             WHERE view NOT IN (SELECT id FROM views) LIMIT {left})"
        );
        left -= sql_query(delete).execute(c)?;
        if left == 0 {
            break;
        }
    }
    Ok(BATCH - left)
}

//! What the views are asked: each in one script, so that all of an answer is of one moment and one set of views.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fred::types::{FromValue, Value};
use kernel::Page;
use serde::de::DeserializeOwned;
use storage::Error;
use uuid::Uuid;

use super::Redis;
use crate::{
    channel::{Access, Channel},
    entry::Listed,
    store::{ListPage, Notices, Read, Stats},
    view::{ACTIVE, Head, List, Scale},
};

/// KEYS[1] is what all keys begin with, `view` what those of the views that are read do. Gives their head, how much is
/// applied, and what `find` finds.
macro_rules! script {
    ($find:literal) => {
        concat!(
            "local prefix = KEYS[1] local id = redis.call('GET', prefix .. 'current')\n",
            "local view = prefix .. (id or '0') .. ':'\n",
            "local head, as_of = redis.call('GET', view .. 'head'), redis.call('GET', prefix .. 'as_of')\n",
            "local function find() ",
            $find,
            " end\n",
            "return {head or '', as_of or '', find()}"
        )
    };
}

const PROGRESS: &str = script!("return {}");

/// Of the list ARGV[1] the entries from ARGV[2] to ARGV[3], newest first.
const PAGE: &str = script!(
    "local list = view .. 'list:' .. ARGV[1]
     return {redis.call('ZCARD', list), redis.call('ZREVRANGE', list, ARGV[2], ARGV[3], 'WITHSCORES')}"
);

/// The same, and what the user ARGV[4] has not read of it.
const NOTICES: &str = script!(
    "local list = view .. 'list:' .. ARGV[1]
     local read = redis.call('HGET', prefix .. 'reads', ARGV[4]) or '0'
     return {redis.call('ZCARD', list), redis.call('ZREVRANGE', list, ARGV[2], ARGV[3], 'WITHSCORES'),
         tonumber(read), redis.call('ZCOUNT', list, '(' .. read, '+inf')}"
);

/// Of what is for all up to ARGV[2] entries after ARGV[1].
const AFTER: &str = script!(
    "return redis.call('ZRANGEBYSCORE', view .. 'list:all', '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])"
);

/// Of each of the channels ARGV[2] and so on what is known, and whether the user ARGV[1] is a member.
const ACCESSES: &str = script!(
    "local found = {}
     for index = 2, #ARGV do
         found[#found + 1] = redis.call('HGET', view .. 'channels', ARGV[index]) or ''
         found[#found + 1] = tostring(redis.call('SISMEMBER', view .. 'members:' .. ARGV[index], ARGV[1]))
     end
     return found"
);

/// Who was active after ARGV[1], microseconds.
const STATS: &str = script!(
    "return {redis.call('HGETALL', view .. 'totals'), redis.call('HGETALL', view .. 'rates'),
         redis.call('ZCOUNT', view .. 'active', '(' .. ARGV[1], '+inf'),
         redis.call('EXISTS', prefix .. 'rebuild', prefix .. 'building')}"
);

/// A list as pairs of its entry and its number.
type Pairs = Vec<String>;

impl Redis {
    async fn find<T: FromValue, A>(
        &self,
        script: &'static str,
        arguments: Vec<String>,
        read: impl FnOnce(T) -> Result<A, Error>,
    ) -> Result<Read<A>, Error> {
        let (head, as_of, found): (String, String, Value) = self.eval(script, vec![self.key("")], arguments).await?;
        let head = if head.is_empty() { Head::new(Uuid::nil()) } else { decode(&head)? };
        let as_of = as_of.parse().ok().and_then(DateTime::from_timestamp_micros);
        Ok(Read { head, as_of, found: read(found.convert().map_err(Error::damaged)?)? })
    }

    pub(super) async fn read_progress(&self) -> Result<Read<()>, Error> {
        self.find(PROGRESS, Vec::new(), |_: Value| Ok(())).await
    }

    pub(super) async fn read_page(&self, list: &List, page: Page) -> Result<Read<ListPage>, Error> {
        let read = |(total, pairs): (u64, Pairs)| Ok(ListPage { entries: listed(pairs)?, total });
        self.find(PAGE, range(list, page), read).await
    }

    pub(super) async fn read_notices(&self, user: Uuid, page: Page) -> Result<Read<Notices>, Error> {
        let mut arguments = range(&List::Notices(user), page);
        arguments.push(user.to_string());
        let found = |(total, pairs, read, unread): (u64, Pairs, u64, u64)| {
            Ok(Notices { page: ListPage { entries: listed(pairs)?, total }, read, unread })
        };
        self.find(NOTICES, arguments, found).await
    }

    pub(super) async fn read_after(&self, number: u64, most: u64) -> Result<Read<Vec<Listed>>, Error> {
        self.find(AFTER, vec![number.to_string(), most.to_string()], listed).await
    }

    pub(super) async fn read_accesses(
        &self,
        viewer: Option<Uuid>,
        channels: &[i64],
    ) -> Result<HashMap<i64, Access>, Error> {
        let viewer = viewer.map(|viewer| viewer.to_string()).unwrap_or_default();
        let arguments = std::iter::once(viewer).chain(channels.iter().map(i64::to_string)).collect();
        let read = |found: Vec<String>| {
            let known = channels.iter().zip(found.chunks_exact(2)).filter(|(_, pair)| !pair[0].is_empty());
            known
                .map(|(id, pair)| {
                    Ok((*id, Access { channel: decode::<Channel>(&pair[0])?, is_member: pair[1] == "1" }))
                })
                .collect()
        };
        Ok(self.find(ACCESSES, arguments, read).await?.found)
    }

    pub(super) async fn read_stats(&self, at: DateTime<Utc>) -> Result<Read<Stats>, Error> {
        let since = (at - ACTIVE).timestamp_micros().to_string();
        let read = |(totals, slots, active_users, due): (Vec<String>, Vec<String>, u64, u64)| {
            let total = |pair: &[String]| Ok((pair[0].clone(), pair[1].parse().map_err(Error::damaged)?));
            let totals = totals.chunks_exact(2).map(total).collect::<Result<_, Error>>()?;
            let rates = Scale::ALL.map(|scale| rate(&slots, scale, at));
            Ok(Stats { totals, rates, active_users, is_rebuilding: due > 0 })
        };
        self.find(STATS, vec![since], read).await
    }
}

fn range(list: &List, page: Page) -> Vec<String> {
    let last = page.offset() + i64::from(page.limit) - 1;
    vec![list.to_string(), page.offset().to_string(), last.to_string()]
}

fn listed(pairs: Pairs) -> Result<Vec<Listed>, Error> {
    let pair = |pair: &[String]| {
        let entry = pair[0].splitn(3, '\n').nth(2).unwrap_or_default();
        Ok(Listed { number: pair[1].parse().map_err(Error::damaged)?, entry: decode(entry)? })
    };
    pairs.chunks_exact(2).map(pair).collect()
}

/// Slots are pairs of `{width} {slot}` and `{start} {count}`.
fn rate(slots: &[String], scale: Scale, at: DateTime<Utc>) -> u64 {
    let count = |pair: &[String]| {
        let (width, _) = pair[0].split_once(' ')?;
        let (start, count) = pair[1].split_once(' ')?;
        let counts =
            width.parse() == Ok(scale.width) && start.parse::<i64>().is_ok_and(|start| start > scale.since(at));
        if counts { count.parse::<u64>().ok() } else { None }
    };
    slots.chunks_exact(2).filter_map(count).sum()
}

pub(super) fn decode<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(Error::damaged)
}

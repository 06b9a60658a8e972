//! Protobuf to the domain and back; requests are checked on the way, all violations at once.

use events::{Kind, audience::Scope};
use kernel::{Error, Page, validate::Violations};
use proto::{feed as pb, time};
use uuid::Uuid;

use crate::{
    entry::{Entry, Listed},
    progress::lag,
    store::{ListPage, Notices, Read, Stats},
    watch::News,
};

pub(crate) fn activity_query(request: pb::ListActivityRequest) -> Result<(Option<String>, Page), Error> {
    let mut violations = Violations::default();
    let pb::ListActivityRequest { r#type, page, limit } = request;
    let kind = r#type.and_then(|name| violations.ok("type", public_kind(&name)));
    let page = Page::parse(page, limit, &mut violations);
    violations.into_result()?;
    Ok((kind.map(|kind| kind.name().to_owned()), page))
}

/// A type of which there are events for all.
fn public_kind(name: &str) -> Result<Kind, &'static str> {
    let kind = name.parse::<Kind>().ok().filter(|kind| kind.scopes().contains(&Scope::All));
    kind.ok_or("must be a type of event that is for all, such as post.created")
}

pub(crate) fn user_query(request: pb::ListUserActivityRequest) -> Result<(Uuid, Page), Error> {
    let mut violations = Violations::default();
    let pb::ListUserActivityRequest { user_id, page, limit } = request;
    let user = violations.ok("user_id", Uuid::try_parse(&user_id).map_err(|_| "must be a UUID"));
    let page = Page::parse(page, limit, &mut violations);
    violations.into_result()?;
    Ok((user.unwrap_or_default(), page))
}

pub(crate) fn notification_query(request: pb::ListNotificationsRequest) -> Result<Page, Error> {
    let mut violations = Violations::default();
    let page = Page::parse(request.page, request.limit, &mut violations);
    violations.into_result()?;
    Ok(page)
}

/// Where somebody goes on from. An epoch that is none is an unknown one.
pub(crate) fn place(epoch: &str, after: u64) -> (Uuid, u64) {
    (Uuid::try_parse(epoch).unwrap_or(Uuid::max()), after)
}

pub(crate) fn activities((page, read): (Page, Read<ListPage>)) -> pb::ListActivityResponse {
    let (activities, pagination, view) = list(page, read);
    pb::ListActivityResponse { activities, pagination, view }
}

pub(crate) fn user_activities((page, read): (Page, Read<ListPage>)) -> pb::ListUserActivityResponse {
    let (activities, pagination, view) = list(page, read);
    pb::ListUserActivityResponse { activities, pagination, view }
}

type List = (Vec<pb::Activity>, Option<pb::Pagination>, Option<pb::View>);

fn list(page: Page, read: Read<ListPage>) -> List {
    let (view, pagination) = (view(&read), pagination(page, read.found.total));
    (read.found.entries.into_iter().map(activity).collect(), Some(pagination), Some(view))
}

pub(crate) fn stats(read: Read<Stats>) -> pb::GetStatsResponse {
    let (view, lag_seconds) = (view(&read), read.as_of.map_or(0.0, lag));
    let Stats { totals, rates: [last_minute, last_hour, last_day], active_users, is_rebuilding } = read.found;
    pb::GetStatsResponse {
        totals: totals.into_iter().collect(),
        last_minute,
        last_hour,
        last_day,
        active_users,
        view: Some(view),
        lag_seconds,
        is_rebuilding,
    }
}

pub(crate) fn watched(read: Read<News>, log: &str) -> pb::WatchResponse {
    let view = Some(view(&read));
    let News { entries, reset, number } = read.found;
    let activities = entries.into_iter().map(activity).collect();
    pb::WatchResponse { activities, reset, number, view, log: log.to_owned() }
}

pub(crate) fn caught_up(read: Read<News>) -> pb::CatchUpResponse {
    let view = Some(view(&read));
    let News { entries, reset, number } = read.found;
    pb::CatchUpResponse { activities: entries.into_iter().map(activity).collect(), reset, number, view }
}

pub(crate) fn notifications((page, read): (Page, Read<Notices>)) -> pb::ListNotificationsResponse {
    let view = view(&read);
    let Notices { page: found, read, unread } = read.found;
    let pagination = Some(pagination(page, found.total));
    let notification = |listed: Listed| pb::Notification {
        number: listed.number,
        is_read: listed.number <= read,
        activity: Some(activity(listed)),
    };
    let notifications = found.entries.into_iter().map(notification).collect();
    pb::ListNotificationsResponse { notifications, pagination, unread, view: Some(view) }
}

fn activity(listed: Listed) -> pb::Activity {
    let Entry { number, id, kind, source, subject, version, time, data, is_excerpt, .. } = listed.entry;
    pb::Activity {
        number: number.unwrap_or(0),
        event_id: id.to_string(),
        r#type: kind,
        source,
        subject,
        version,
        time: Some(time::to_proto(time)),
        data: Box::<str>::from(data).into_string(),
        is_public: number.is_some(),
        is_excerpt,
    }
}

fn view<T>(read: &Read<T>) -> pb::View {
    let head = &read.head;
    pb::View {
        epoch: if head.epoch.is_nil() { String::new() } else { head.epoch.to_string() },
        number: head.number,
        position: head.position,
        sequences: head.sequences.iter().map(|(source, last)| (source.to_owned(), last)).collect(),
        as_of: read.as_of.map(time::to_proto),
    }
}

fn pagination(page: Page, total: u64) -> pb::Pagination {
    let info = page.of(total);
    pb::Pagination { page: info.page, limit: info.limit, total: info.total, pages: info.pages }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let fields =
            |refused: Error| refused.violations().iter().map(|found| found.field.to_string()).collect::<Vec<_>>();
        let query = |name: &str, page, limit| {
            activity_query(pb::ListActivityRequest {
                r#type: Some(name.to_owned()),
                page: Some(page),
                limit: Some(limit),
            })
        };
        assert_eq!(fields(query("post.sung", 0, 101).expect_err("refused")), ["type", "page", "limit"]);
        // Nobody is shown it, or only some are.
        for never in ["money.moved", "money.deposited", "order.updated", ""] {
            assert_eq!(fields(query(never, 1, 100).expect_err("refused")), ["type"], "{never}");
        }
        assert_eq!(query("post.created", 1, 100).expect("right").0.as_deref(), Some("post.created"));
        let request = pb::ListUserActivityRequest { user_id: "ada".to_owned(), page: None, limit: Some(0) };
        assert_eq!(fields(user_query(request).expect_err("refused")), ["user_id", "limit"]);
    }
}

//! `/notifications`: what concerns oneself.

use axum::Json;
use proto::feed as rpc;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::profile::{NEVER_CACHED, NeverCached};
use crate::{
    activity::Activity,
    call::Call,
    error::{Problem, check},
    extract::{JsonBody, Query, integer, whole_number},
    routes::{State, page::Pagination},
};

/// Something that concerns one.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    /// Its number among one's own: each has one more than the one before it.
    #[schema(example = 3)]
    number: u64,
    #[schema(example = false)]
    is_read: bool,
    activity: Activity,
}

impl TryFrom<rpc::Notification> for Notification {
    type Error = Problem;

    fn try_from(notification: rpc::Notification) -> Result<Self, Problem> {
        let rpc::Notification { number, is_read, activity } = notification;
        let activity = activity.ok_or_else(|| Problem::internal("the feed sent no activity"))?.try_into()?;
        Ok(Self { number, is_read, activity })
    }
}

/// A page of what concerns one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NotificationList {
    notifications: Vec<Notification>,
    pagination: Pagination,
    /// Of all, not only of this page.
    #[schema(example = 1)]
    unread: u64,
}

/// Which page of it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListNotifications {
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// List what concerns you
///
/// The newest 200, newest first: an item of yours was sold, an order of yours changed, somebody posted in a channel of yours.
#[utoipa::path(
    get, path = "/notifications", tag = "activity", params(ListNotifications), security(("bearer" = [])),
    responses((status = OK, description = "A page of it", body = NotificationList))
)]
pub(super) async fn list_notifications(
    app: State,
    call: Call,
    Query(query): Query<ListNotifications>,
) -> Result<(NeverCached, Json<NotificationList>), Problem> {
    let ListNotifications { page, limit } = query;
    let request = call.repeatable(rpc::ListNotificationsRequest { page, limit });
    let list = app.feed().list_notifications(request).await?.into_inner();
    let notifications = list.notifications.into_iter().map(Notification::try_from).collect::<Result<_, _>>()?;
    let pagination = list.pagination.unwrap_or_default().into();
    Ok((NEVER_CACHED, Json(NotificationList { notifications, pagination, unread: list.unread })))
}

/// What was read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadNotifications {
    /// Number of the newest notification that was read; left out: all there are.
    #[serde(default, deserialize_with = "integer")]
    #[schema(minimum = 0, example = 3)]
    up_to: Option<i64>,
}

/// How many are left.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Unread {
    #[schema(example = 0)]
    unread: u64,
}

/// Say what you have read
///
/// Up to a notification; what was read stays so.
#[utoipa::path(
    post, path = "/notifications/read", tag = "activity", request_body = ReadNotifications, security(("bearer" = [])),
    responses((status = OK, description = "How many are unread now", body = Unread))
)]
pub(super) async fn mark_notifications_read(
    app: State,
    call: Call,
    JsonBody(ReadNotifications { up_to }): JsonBody<ReadNotifications>,
) -> Result<(NeverCached, Json<Unread>), Problem> {
    let mut violations = kernel::validate::Violations::default();
    let up_to =
        up_to.and_then(|number| violations.ok("upTo", u64::try_from(number).map_err(|_| "must not be negative")));
    check(violations)?;
    // Twice is the same as once.
    let request = call.repeatable(rpc::MarkReadRequest { up_to });
    let mut client = app.feed();
    let unread = app.write(Vec::new(), async move { client.mark_read(request).await }).await?.unread;
    Ok((NEVER_CACHED, Json(Unread { unread })))
}

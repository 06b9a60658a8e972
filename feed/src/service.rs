//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is `acts`'.

use std::sync::Arc;

use futures_util::{StreamExt, stream::BoxStream};
use proto::feed::{self as pb, feed_server};
use runtime::{context::Context, status::answer};
use tonic::{Request, Response, Status};

use crate::{acts::Feed, convert, watch::watch};

type Answer<T> = Result<Response<T>, Status>;

#[rustfmt::skip] // One line an RPC.
#[tonic::async_trait]
impl feed_server::Feed for Feed {
    type WatchStream = BoxStream<'static, Result<pb::WatchResponse, Status>>;

    async fn list_activity(&self, r: Request<pb::ListActivityRequest>) -> Answer<pb::ListActivityResponse> {
        answer(async { Ok(convert::activities(self.activity(convert::activity_query(r.into_inner())?).await?)) }).await
    }

    async fn list_user_activity(&self, r: Request<pb::ListUserActivityRequest>) -> Answer<pb::ListUserActivityResponse> {
        answer(async { Ok(convert::user_activities(self.user_activity(&Context::optional(&r)?, convert::user_query(r.into_inner())?).await?)) }).await
    }

    async fn get_stats(&self, _: Request<pb::GetStatsRequest>) -> Answer<pb::GetStatsResponse> {
        answer(async { Ok(convert::stats(self.stats().await?)) }).await
    }

    async fn watch(&self, r: Request<pb::WatchRequest>) -> Answer<Self::WatchStream> {
        let pb::WatchRequest { epoch, after } = r.into_inner();
        let from = (!epoch.is_empty()).then(|| convert::place(&epoch, after));
        Ok(Response::new(watch(Arc::clone(&self.store), self.log, from, self.shutdown.clone()).boxed()))
    }

    async fn catch_up(&self, r: Request<pb::CatchUpRequest>) -> Answer<pb::CatchUpResponse> {
        let pb::CatchUpRequest { epoch, after } = r.into_inner();
        answer(async { Ok(convert::caught_up(Self::catch_up(self, convert::place(&epoch, after)).await?)) }).await
    }

    async fn list_notifications(&self, r: Request<pb::ListNotificationsRequest>) -> Answer<pb::ListNotificationsResponse> {
        answer(async { Ok(convert::notifications(self.notifications(&Context::required(&r)?, convert::notification_query(r.into_inner())?).await?)) }).await
    }

    async fn mark_read(&self, r: Request<pb::MarkReadRequest>) -> Answer<pb::MarkReadResponse> {
        answer(async { Ok(pb::MarkReadResponse { unread: Self::mark_read(self, &Context::required(&r)?, r.into_inner().up_to).await? }) }).await
    }

    async fn rebuild(&self, r: Request<pb::RebuildRequest>) -> Answer<pb::RebuildResponse> {
        answer(async { Self::rebuild(self, &Context::required(&r)?).await.map(|()| pb::RebuildResponse {}) }).await
    }
}

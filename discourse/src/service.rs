//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is the domain's.

use std::sync::Arc;

use proto::discourse::{self as pb, discourse_server::Discourse};
use runtime::{context::Context, status::answer};
use tonic::{Request, Response, Status};

use crate::{channel, convert, post, store::Store};

type Answer<T> = Result<Response<T>, Status>;

/// The discourse on a store.
pub(crate) struct Service(pub(crate) Arc<dyn Store>);

#[rustfmt::skip] // One line an RPC.
#[tonic::async_trait]
impl Discourse for Service {
    async fn list_channels(&self, r: Request<pb::ListChannelsRequest>) -> Answer<pb::ListChannelsResponse> {
        answer(async { Ok(convert::channel_list(channel::list(&*self.0, &Context::optional(&r)?, convert::channel_query(r.into_inner())?).await?)) }).await
    }

    async fn get_channel(&self, r: Request<pb::GetChannelRequest>) -> Answer<pb::GetChannelResponse> {
        answer(async { Ok(convert::channel_page(channel::read(&*self.0, &Context::optional(&r)?, convert::post_query(r.into_inner())?).await?)) }).await
    }

    async fn create_channel(&self, r: Request<pb::CreateChannelRequest>) -> Answer<pb::CreateChannelResponse> {
        answer(async { Ok(convert::created_channel(channel::create(&*self.0, &Context::required(&r)?, convert::new_channel(r.into_inner())?).await?)) }).await
    }

    async fn create_post(&self, r: Request<pb::CreatePostRequest>) -> Answer<pb::CreatePostResponse> {
        answer(async { Ok(convert::created_post(post::create(&*self.0, &Context::required(&r)?, convert::new_post(r.into_inner())?).await?)) }).await
    }
}

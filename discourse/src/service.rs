//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is the domain's.

use std::sync::Arc;

use platform::{Caller, Error};
use proto::discourse::{self as pb, discourse_server::Discourse};
use tonic::{Request, Response, Status};

use crate::{channel, convert, post, store::Store};

type Answer<T> = Result<Response<T>, Status>;

/// The discourse on a store.
pub(crate) struct Service(pub(crate) Arc<dyn Store>);

#[rustfmt::skip] // One line an RPC.
#[tonic::async_trait]
impl Discourse for Service {
    async fn list_channels(&self, r: Request<pb::ListChannelsRequest>) -> Answer<pb::ListChannelsResponse> {
        answer(channel::list(&*self.0, viewer(&r)?, convert::channel_query(r.into_inner())?).await, convert::channel_list)
    }

    async fn get_channel(&self, r: Request<pb::GetChannelRequest>) -> Answer<pb::GetChannelResponse> {
        answer(channel::read(&*self.0, viewer(&r)?, convert::post_query(r.into_inner())?).await, convert::channel_page)
    }

    async fn create_channel(&self, r: Request<pb::CreateChannelRequest>) -> Answer<pb::CreateChannelResponse> {
        answer(channel::create(&*self.0, caller(&r)?, convert::new_channel(r.into_inner())?).await, convert::created_channel)
    }

    async fn create_post(&self, r: Request<pb::CreatePostRequest>) -> Answer<pb::CreatePostResponse> {
        answer(post::create(&*self.0, caller(&r)?, convert::new_post(r.into_inner())?).await, convert::created_post)
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Error> {
    Caller::required(request.metadata())
}

fn viewer<T>(request: &Request<T>) -> Result<Option<Caller>, Error> {
    Caller::optional(request.metadata())
}

fn answer<T, P>(result: Result<T, Error>, convert: impl FnOnce(T) -> P) -> Answer<P> {
    Ok(Response::new(convert(result?)))
}

//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is the domain's.

use std::sync::Arc;

use proto::discourse::{self as pb, discourse_server::Discourse};
use runtime::{context::Context, status::answer};
use tonic::{Request, Response, Status};

use crate::{channel, convert, member, post, store::Store};

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

    async fn update_channel(&self, r: Request<pb::UpdateChannelRequest>) -> Answer<pb::UpdateChannelResponse> {
        answer(async { Ok(convert::updated_channel(channel::update(&*self.0, &Context::required(&r)?, convert::channel_change(r.into_inner())?).await?)) }).await
    }

    async fn delete_channel(&self, r: Request<pb::DeleteChannelRequest>) -> Answer<pb::DeleteChannelResponse> {
        answer(async { Ok(convert::deleted_channel(channel::delete(&*self.0, &Context::required(&r)?, convert::channel_to_delete(r.into_inner())?).await?)) }).await
    }

    async fn list_members(&self, r: Request<pb::ListMembersRequest>) -> Answer<pb::ListMembersResponse> {
        answer(async { Ok(convert::member_list(member::list(&*self.0, &Context::required(&r)?, convert::member_query(r.into_inner())?).await?)) }).await
    }

    async fn get_member(&self, r: Request<pb::GetMemberRequest>) -> Answer<pb::GetMemberResponse> {
        answer(async { Ok(convert::one_member(member::read(&*self.0, &Context::required(&r)?, convert::membership(r.get_ref().channel_id, &r.get_ref().user_id)?).await?)) }).await
    }

    async fn add_member(&self, r: Request<pb::AddMemberRequest>) -> Answer<pb::AddMemberResponse> {
        answer(async { Ok(convert::added_member(member::add(&*self.0, &Context::required(&r)?, convert::membership(r.get_ref().channel_id, &r.get_ref().user_id)?).await?)) }).await
    }

    async fn remove_member(&self, r: Request<pb::RemoveMemberRequest>) -> Answer<pb::RemoveMemberResponse> {
        answer(async { Ok(convert::removed_member(member::remove(&*self.0, &Context::required(&r)?, convert::membership(r.get_ref().channel_id, &r.get_ref().user_id)?).await?)) }).await
    }

    async fn create_post(&self, r: Request<pb::CreatePostRequest>) -> Answer<pb::CreatePostResponse> {
        answer(async { Ok(convert::created_post(post::create(&*self.0, &Context::required(&r)?, convert::new_post(r.into_inner())?).await?)) }).await
    }

    async fn list_posts(&self, r: Request<pb::ListPostsRequest>) -> Answer<pb::ListPostsResponse> {
        answer(async { Ok(convert::post_list(post::search::list(&*self.0, &Context::optional(&r)?, convert::post_filter(r.into_inner())?).await?)) }).await
    }

    async fn get_post(&self, r: Request<pb::GetPostRequest>) -> Answer<pb::GetPostResponse> {
        answer(async { Ok(convert::one_post(post::search::read(&*self.0, &Context::optional(&r)?, convert::post_id(r.get_ref())?).await?)) }).await
    }

    async fn update_post(&self, r: Request<pb::UpdatePostRequest>) -> Answer<pb::UpdatePostResponse> {
        answer(async { Ok(convert::updated_post(post::update(&*self.0, &Context::required(&r)?, convert::post_change(r.into_inner())?).await?)) }).await
    }

    async fn delete_post(&self, r: Request<pb::DeletePostRequest>) -> Answer<pb::DeletePostResponse> {
        answer(async { Ok(convert::deleted_post(post::delete(&*self.0, &Context::required(&r)?, convert::post_to_delete(r.into_inner())?).await?)) }).await
    }
}

//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is `acts`'.

use futures_util::{StreamExt, stream::BoxStream};
use proto::accounts::{self as pb, accounts_server};
use runtime::{context::Context, status::answer};
use tonic::{Request, Response, Status};

use crate::{acts::Accounts, convert};

type Answer<T> = Result<Response<T>, Status>;

#[rustfmt::skip] // One line an RPC.
#[tonic::async_trait]
impl accounts_server::Accounts for Accounts {
    type WatchEndedStream = BoxStream<'static, Result<pb::WatchEndedResponse, Status>>;

    async fn register(&self, r: Request<pb::RegisterRequest>) -> Answer<pb::RegisterResponse> {
        answer(async { Ok(convert::registered(Self::register(self, &Context::of(&r), convert::registration(r.into_inner())?).await?)) }).await
    }

    async fn verify_password(&self, r: Request<pb::VerifyPasswordRequest>) -> Answer<pb::VerifyPasswordResponse> {
        answer(async { Ok(convert::verified(Self::verify_password(self, convert::credentials(r.into_inner())?).await?)) }).await
    }

    async fn change_password(&self, r: Request<pb::ChangePasswordRequest>) -> Answer<pb::ChangePasswordResponse> {
        answer(async { Self::change_password(self, &Context::required(&r)?, convert::passwords(r.into_inner())?).await.map(|()| pb::ChangePasswordResponse {}) }).await
    }

    async fn end_token(&self, r: Request<pb::EndTokenRequest>) -> Answer<pb::EndTokenResponse> {
        answer(async { Self::end_token(self, &*Context::of(&r).claims().cloned()?).await.map(|()| pb::EndTokenResponse {}) }).await
    }

    async fn get_user(&self, r: Request<pb::GetUserRequest>) -> Answer<pb::GetUserResponse> {
        answer(async { Ok(convert::user(Self::get(self, convert::user_id(r.into_inner())?).await?)) }).await
    }

    async fn batch_get_users(&self, r: Request<pb::BatchGetUsersRequest>) -> Answer<pb::BatchGetUsersResponse> {
        answer(async { Ok(convert::users(Self::get_many(self, convert::user_ids(r.into_inner())?).await?)) }).await
    }

    async fn get_profile(&self, r: Request<pb::GetProfileRequest>) -> Answer<pb::GetProfileResponse> {
        answer(async { Ok(convert::read_profile(Self::profile(self, &Context::required(&r)?, convert::profile_id(r.into_inner())?).await?)) }).await
    }

    async fn update_profile(&self, r: Request<pb::UpdateProfileRequest>) -> Answer<pb::UpdateProfileResponse> {
        answer(async { Ok(convert::updated_profile(Self::update(self, &Context::required(&r)?, convert::change(r.into_inner())?).await?)) }).await
    }

    async fn erase_profile(&self, r: Request<pb::EraseProfileRequest>) -> Answer<pb::EraseProfileResponse> {
        answer(async { Self::erase(self, &Context::required(&r)?).await.map(|()| pb::EraseProfileResponse {}) }).await
    }

    async fn watch_ended(&self, _: Request<pb::WatchEndedRequest>) -> Answer<Self::WatchEndedStream> {
        Ok(Response::new(self.ends.watch().boxed()))
    }
}

//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is the domain's.

use std::sync::Arc;

use proto::marketplace::{self as pb, marketplace_server::Marketplace};
use runtime::{context::Context, status::answer};
use tonic::{Request, Response, Status};

use crate::{convert, deposit, economy::Economy, item, purchase, store::Store, wallet};

type Answer<T> = Result<Response<T>, Status>;

/// The marketplace on a store.
pub(crate) struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) economy: Economy,
}

#[rustfmt::skip] // One line an RPC.
#[tonic::async_trait]
impl Marketplace for Service {
    async fn list_items(&self, r: Request<pb::ListItemsRequest>) -> Answer<pb::ListItemsResponse> {
        answer(async { Ok(convert::item_page(item::list(&*self.store, convert::item_query(r.into_inner())?).await?)) }).await
    }

    async fn get_item(&self, r: Request<pb::GetItemRequest>) -> Answer<pb::GetItemResponse> {
        answer(async { Ok(convert::item_details(item::get(&*self.store, convert::item_id(r.into_inner())?).await?)) }).await
    }

    async fn create_item(&self, r: Request<pb::CreateItemRequest>) -> Answer<pb::CreateItemResponse> {
        answer(async { Ok(convert::created_item(item::create(&*self.store, &self.economy, &Context::required(&r)?, convert::new_item(r.into_inner())?).await?)) }).await
    }

    async fn purchase_item(&self, r: Request<pb::PurchaseItemRequest>) -> Answer<pb::PurchaseItemResponse> {
        answer(async { Ok(convert::sale(purchase::purchase(&*self.store, &self.economy, &Context::required(&r)?, convert::order(r.into_inner())?).await?)) }).await
    }

    async fn deposit(&self, r: Request<pb::DepositRequest>) -> Answer<pb::DepositResponse> {
        answer(async { Ok(convert::deposited(deposit::make(&*self.store, &Context::required(&r)?, convert::deposit(r.into_inner())?).await?)) }).await
    }

    async fn get_wallet(&self, r: Request<pb::GetWalletRequest>) -> Answer<pb::GetWalletResponse> {
        answer(async { Ok(convert::wallet(wallet::get(&*self.store, &Context::required(&r)?).await?)) }).await
    }

    async fn list_wallet_entries(&self, r: Request<pb::ListWalletEntriesRequest>) -> Answer<pb::ListWalletEntriesResponse> {
        answer(async { Ok(convert::entry_page(wallet::entries(&*self.store, &Context::required(&r)?, convert::entry_query(r.into_inner())?).await?)) }).await
    }
}

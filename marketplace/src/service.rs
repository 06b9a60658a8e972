//! The gRPC service: a table. Requests are converted and checked in `convert`, the work is the domain's.

use std::sync::Arc;

use platform::{Caller, Error};
use proto::marketplace::{self as pb, marketplace_server::Marketplace};
use tonic::{Request, Response, Status};

use crate::{convert, economy::Economy, item, purchase, store::Store, wallet};

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
        answer(item::list(&*self.store, convert::item_query(r.into_inner())?).await, convert::item_page)
    }

    async fn get_item(&self, r: Request<pb::GetItemRequest>) -> Answer<pb::GetItemResponse> {
        answer(item::get(&*self.store, convert::item_id(r.into_inner())?).await, convert::item_details)
    }

    async fn create_item(&self, r: Request<pb::CreateItemRequest>) -> Answer<pb::CreateItemResponse> {
        answer(item::create(&*self.store, &self.economy, caller(&r)?, convert::new_item(r.into_inner())?).await, convert::created_item)
    }

    async fn purchase_item(&self, r: Request<pb::PurchaseItemRequest>) -> Answer<pb::PurchaseItemResponse> {
        answer(purchase::purchase(&*self.store, &self.economy, caller(&r)?, convert::order(r.into_inner())?).await, convert::sale)
    }

    async fn get_wallet(&self, r: Request<pb::GetWalletRequest>) -> Answer<pb::GetWalletResponse> {
        answer(wallet::get(&*self.store, caller(&r)?).await, convert::wallet)
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Error> {
    Caller::required(request.metadata())
}

fn answer<T, P>(result: Result<T, Error>, convert: impl FnOnce(T) -> P) -> Answer<P> {
    Ok(Response::new(convert(result?)))
}

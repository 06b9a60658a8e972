//! `/marketplace/wallet`.

use axum::{Json, http::header};
use proto::{errors, marketplace as rpc};
use serde::Serialize;
use utoipa::ToSchema;

use super::money::{self, Amount, Currency};
use crate::{call::Call, error::Problem, routes::State};

/// What a user has of one currency.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Balance {
    currency: Currency,
    balance: Amount,
}

/// What a user has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wallet {
    /// UUID of the caller.
    #[schema(format = Uuid)]
    user_id: String,
    /// One a currency.
    balances: Vec<Balance>,
}

/// What a wallet's answer says of caching: nothing may keep it.
type NeverCached = [(header::HeaderName, &'static str); 2];

/// Look into your wallet
///
/// The first look opens it, with the opening balance.
#[utoipa::path(
    get, path = "/marketplace/wallet", tag = "marketplace", security(("bearer" = [])),
    responses((status = OK, description = "The wallet", body = Wallet)),
    extensions(("x-refusals" = json!([errors::TREASURY_EXHAUSTED])))
)]
pub(crate) async fn get_wallet(app: State, call: Call) -> Result<(NeverCached, Json<Wallet>), Problem> {
    let request = call.repeatable(rpc::GetWalletRequest {});
    let wallet = app.marketplace().get_wallet(request).await?.into_inner();
    let balances = wallet.balances.into_iter().map(|money| {
        let (balance, currency) = money::from_proto(Some(money))?;
        Ok(Balance { currency, balance })
    });
    let balances = balances.collect::<Result<_, Problem>>()?;
    let headers = [(header::CACHE_CONTROL, "no-store"), (crate::cache::X_CACHE, "BYPASS")];
    Ok((headers, Json(Wallet { user_id: wallet.user_id, balances })))
}

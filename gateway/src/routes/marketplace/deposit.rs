//! `/marketplace/deposit`.

use axum::{Json, http::StatusCode};
use kernel::validate::Violations;
use proto::{errors, marketplace as rpc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    entry::WalletEntry,
    money::{self, Currency, Price},
};
use crate::{
    call::Call,
    error::{Problem, check},
    extract::JsonBody,
    idempotency::IdempotencyKey,
    routes::State,
};

/// What to put into one's wallet.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewDeposit {
    #[schema(required = true, value_type = Currency, example = "USD")]
    currency: Option<String>,
    /// More than 0.
    #[schema(required = true, value_type = Price)]
    amount: Option<Price>,
}

impl NewDeposit {
    pub(crate) fn into_rpc(self) -> Result<rpc::Money, Problem> {
        let mut violations = Violations::default();
        if self.currency.is_none() {
            violations.add("currency", "is required");
        }
        if self.amount.is_none() {
            violations.add("amount", "is required");
        }
        let currency = self.currency.as_deref();
        let amount = currency.and_then(|code| money::named("amount", self.amount.as_ref(), code, &mut violations));
        check(violations)?;
        Ok(amount.unwrap_or_default())
    }
}

/// Deposit money
///
/// The treasury gives it: so much a day (UTC) and currency (`DEPOSIT_LIMIT` of the marketplace), by default 10000 USD and EUR,
/// 10 GOLD, 0.2 BTC. The answer is the entry that it makes in one's wallet. With an `Idempotency-Key` a retry returns the
/// first outcome.
#[utoipa::path(
    post, path = "/marketplace/deposit", tag = "marketplace", request_body = NewDeposit, security(("bearer" = [])),
    params(IdempotencyKey),
    responses(
        (status = CREATED, description = "The entry", body = WalletEntry)
    ),
    extensions(("x-refusals" = json!([errors::DEPOSIT_LIMIT_EXCEEDED, errors::TREASURY_EXHAUSTED])))
)]
pub(crate) async fn make_deposit(
    app: State,
    call: Call,
    key: IdempotencyKey,
    JsonBody(deposit): JsonBody<NewDeposit>,
) -> Result<(StatusCode, Json<WalletEntry>), Problem> {
    let amount = Some(deposit.into_rpc()?);
    let request = key.request(&call, |idempotency_key| rpc::DepositRequest { amount, idempotency_key });
    let mut client = app.marketplace();
    // Nothing that is cached tells of anybody's money.
    let made = app.write(Vec::new(), async move { client.deposit(request).await }).await?;
    let entry = made.entry.ok_or_else(|| Problem::internal("a service sent no entry"))?;
    Ok((StatusCode::CREATED, Json(entry.try_into()?)))
}

//! `/marketplace/wallet/entries`.

use axum::{
    Json,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use proto::{
    errors,
    marketplace::{self as rpc, words},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::money::{self, Amount, Currency};
use crate::{
    cache,
    call::Call,
    error::Problem,
    extract::{Query, whole_number},
    routes::{
        State,
        page::Pagination,
        time::{self, moment},
        words::Word,
    },
};

pub(crate) type EntryKind = Word<words::EntryKind>;

/// A movement of a wallet. In CSV its members are the columns.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WalletEntry {
    /// 1 is the wallet's first, and none is left out.
    #[schema(example = 5)]
    number: u64,
    kind: EntryKind,
    currency: Currency,
    /// What came in; negative for what went out. A decimal number, exact, with all places of its currency.
    #[schema(value_type = f64, example = -12.5)]
    amount: Amount,
    /// What there was of the currency afterwards.
    balance: Amount,
    /// What it was for: the id of the transaction of a sale, of the user whose wallet was opened, the deposit's own.
    #[schema(example = "6560f0a3c5d1e80001a2b3c5")]
    reference: String,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
}

impl TryFrom<rpc::WalletEntry> for WalletEntry {
    type Error = Problem;

    fn try_from(entry: rpc::WalletEntry) -> Result<Self, Problem> {
        let (amount, currency) = money::from_proto(entry.amount)?;
        let (balance, _) = money::from_proto(entry.balance)?;
        Ok(Self {
            number: entry.number,
            kind: entry.kind.try_into()?,
            currency,
            amount,
            balance,
            reference: entry.reference,
            created_at: moment(entry.created_at)?,
        })
    }
}

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WalletEntries {
    entries: Vec<WalletEntry>,
    pagination: EntryPagination,
}

/// Where a page stands in the whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntryPagination {
    #[serde(flatten)]
    page: Pagination,
    /// For the next page, whatever is new meanwhile; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, example = "23")]
    cursor: Option<String>,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListWalletEntries {
    /// From 1; default 1. Not together with `cursor`.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
    /// What a page gave for the next one.
    #[param(pattern = "^[0-9]{1,19}$")]
    cursor: Option<String>,
}

/// List what moved in your wallet
///
/// Newest first, each with the balance that it left. The first look opens the wallet. As CSV with `Accept: text/csv`, a page
/// at a time too; there the header `Link` leads to the next.
#[utoipa::path(
    get, path = "/marketplace/wallet/entries", tag = "marketplace", params(ListWalletEntries), security(("bearer" = [])),
    responses(
        (status = OK, description = "A page of entries", headers(("Link" = String, description = "The next page, as in RFC 8288; none on the last")), content(
            (WalletEntries = "application/json"),
            (String = "text/csv", example = "number,kind,currency,amount,balance,reference,createdAt\r\n5,sale,USD,-12.50,999987.50,6560f0a3c5d1e80001a2b3c5,2026-11-20T21:28:56.215Z\r\n")
        ))
    ),
    extensions(("x-refusals" = json!([errors::TREASURY_EXHAUSTED])))
)]
pub(crate) async fn list_wallet_entries(
    app: State,
    call: Call,
    headers: HeaderMap,
    Query(query): Query<ListWalletEntries>,
) -> Result<Response, Problem> {
    let ListWalletEntries { page, limit, cursor } = query;
    let request = call.repeatable(rpc::ListWalletEntriesRequest { page, limit, cursor });
    let rpc::ListWalletEntriesResponse { entries, pagination, cursor } =
        app.marketplace().list_wallet_entries(request).await?.into_inner();
    let entries = entries.into_iter().map(WalletEntry::try_from).collect::<Result<Vec<_>, _>>()?;
    let pagination = pagination.unwrap_or_default();
    let next = cursor.as_ref().map(|cursor| {
        let limit = pagination.limit;
        [(header::LINK, format!("</marketplace/wallet/entries?cursor={cursor}&limit={limit}>; rel=\"next\""))]
    });
    let body = if prefers_csv(&headers) {
        let csv = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
        (csv, to_csv(&entries)?).into_response()
    } else {
        Json(WalletEntries { entries, pagination: EntryPagination { page: pagination.into(), cursor } }).into_response()
    };
    Ok((NEVER_CACHED, next, body).into_response())
}

/// Nothing may keep it.
const NEVER_CACHED: [(HeaderName, &str); 3] =
    [(header::CACHE_CONTROL, "no-store"), (header::VARY, "accept"), (cache::X_CACHE, "BYPASS")];

/// Whether `Accept` names `text/csv` with a greater weight than JSON (RFC 9110, section 12.5.1).
fn prefers_csv(headers: &HeaderMap) -> bool {
    let (mut csv, mut json) = (0.0, 0.0);
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse::<f32>().ok());
        let weight = weight.unwrap_or(1.0);
        match &*kind {
            "text/csv" => csv = weight,
            "application/json" => json = weight,
            _ => {}
        }
    }
    csv > json
}

/// A line of CSV.
#[derive(Serialize)]
struct Line<'a> {
    number: u64,
    kind: EntryKind,
    currency: Currency,
    amount: String,
    balance: String,
    reference: &'a str,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
}

const COLUMNS: [&str; 7] = ["number", "kind", "currency", "amount", "balance", "reference", "createdAt"];

/// A line an entry, after one of their names, as RFC 4180 has it. No field is a text that somebody made up: none can be a
/// formula to a spreadsheet, and a negative amount is a number.
fn to_csv(entries: &[WalletEntry]) -> Result<Vec<u8>, Problem> {
    let mut format = csv::WriterBuilder::new();
    let mut csv = format.terminator(csv::Terminator::CRLF).has_headers(false).from_writer(Vec::new());
    csv.write_record(COLUMNS).map_err(Problem::internal)?;
    for entry in entries {
        let &WalletEntry { number, kind, currency, amount, balance, ref reference, created_at } = entry;
        let (amount, balance) = (amount.to_string(), balance.to_string());
        let line = Line { number, kind, currency, amount, balance, reference, created_at };
        csv.serialize(line).map_err(Problem::internal)?;
    }
    csv.into_inner().map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn csv_is_for_who_asks_for_it_most() {
        let csv = |accept: &'static str| {
            prefers_csv(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(csv("text/csv") && csv("Text/CSV; charset=utf-8") && csv("application/json;q=0.5, text/csv;q=0.9"));
        assert!(csv("text/csv, */*;q=0.1"));
        assert!(
            !csv("application/json") && !csv("*/*") && !csv("text/csv;q=0.5, application/json") && !csv("text/csv;q=0")
        );
        assert!(!csv("text/csv, application/json") && !prefers_csv(&HeaderMap::new()));
    }

    #[test]
    fn a_page_as_csv_has_a_line_an_entry() {
        let money = |minor_units| Some(rpc::Money { currency: rpc::Currency::Usd.into(), minor_units });
        let entry = rpc::WalletEntry {
            number: 7,
            kind: rpc::EntryKind::Sale.into(),
            amount: money(-1250),
            balance: money(i64::MAX),
            reference: "6560f0a3c5d1e80001a2b3c5".to_owned(),
            created_at: Some(prost_types::Timestamp { seconds: 0, nanos: 215_000_000 }),
        };
        let csv = to_csv(&[entry.try_into().expect("an entry")]).expect("csv");
        assert_eq!(
            String::from_utf8(csv).expect("text"),
            "number,kind,currency,amount,balance,reference,createdAt\r\n\
             7,sale,USD,-12.50,92233720368547758.07,6560f0a3c5d1e80001a2b3c5,1970-01-01T00:00:00.215Z\r\n"
        );
        assert_eq!(to_csv(&[]).expect("csv").iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}

//! What `fuzz/` throws bytes at: one function a target, which panics where a promise is broken.
//!
//! Compiled for `cargo fuzz` (it sets `cfg(fuzzing)`) and for tests, which run the corpora that are kept.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::LazyLock,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
};
use futures_util::FutureExt;
use ipnet::{IpNet, Ipv4Net};
use kernel::{Clock, Currency, Money, money::ParseMoneyError, page::Page, validate::Violations};
use proto::marketplace as rpc;
use runtime::identity::{self, Ended, SigningKeys, Unauthorized, Verifier};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use super::{
    auth::{Credentials, NewPassword, Registration},
    discourse::{
        channel::{ChannelChange, ChannelId, ListChannels, ListPosts, NewChannel},
        member::ListMembers,
        post::{NewPost, PostChange},
        search::FindPosts,
    },
    marketplace::{
        deposit::NewDeposit,
        entry::ListWalletEntries,
        item::{ItemId, ListItems, NewItem},
        purchase::NewPurchase,
    },
    profile::Change,
    users::GetUsers,
};
use crate::{
    cache::{Key, Viewer},
    error::Problem,
    extract::{JsonBody, Query},
    rate_limit::ClientAddress,
};

const PROXY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PROXY_NETWORK: IpNet = IpNet::V4(Ipv4Net::new_assert(PROXY, 32));
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// An amount is taken exactly, and what is no JSON number is no amount.
pub fn money(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // serde_json takes the spaces around a number too.
    let number = serde_json::from_str::<&RawValue>(text)
        .is_ok_and(|raw| raw.get() == text && text.starts_with(|first: char| first == '-' || first.is_ascii_digit()));
    for currency in Currency::ALL {
        let parsed = Money::parse(text, currency);
        assert_eq!(number, parsed != Err(ParseMoneyError::NotANumber), "{text:?} {parsed:?}");
        if let Ok(money) = parsed {
            assert!(money.minor_units >= 0, "{text:?} {money}");
            assert_eq!(Money::parse(&money.decimal(), currency), Ok(money));
            let (float, exact) = (text.parse::<f64>().expect("a number"), money.minor_units as f64);
            let expected = float * currency.scale() as f64;
            assert!((expected - exact).abs() <= exact * 1e-12, "{text:?} {money}");
        }
    }
}

/// A query is refused with a 400 that names the parameter, or is one query however else it could be written.
pub fn query(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    one_query::<ListItems>(query, |query| drop(rpc::ListItemsRequest::from(query)));
    one_query::<ListChannels>(query, drop);
    one_query::<ListPosts>(query, drop);
    one_query::<ListMembers>(query, drop);
    one_query::<FindPosts>(query, drop);
    one_query::<ListWalletEntries>(query, drop);
    one_query::<GetUsers>(query, drop);
}

fn one_query<T: DeserializeOwned + Serialize>(query: &str, translate: fn(T)) {
    let parse = |query: &str| {
        let uri = format!("/?{query}").parse::<Uri>().ok()?;
        let mut parts = Request::get(uri).body(()).expect("request").into_parts().0;
        Query::<T>::from_request_parts(&mut parts, &()).now_or_never()
    };
    let key = |query: &T| Key::get("/", "/", query, Viewer::Anyone, Vec::new()).as_str().to_owned();
    match (parse(query), parse(&format!("{query}&unknown=1"))) {
        (None, _) | (_, None) => {} // no URI
        (Some(Ok(Query(plain))), Some(Ok(Query(longer)))) => {
            assert_eq!(key(&plain), key(&longer));
            translate(plain);
        }
        (Some(Err(problem)), Some(Err(_))) => assert_refused(&problem, &[400]),
        (plain, longer) => {
            panic!("{query:?} {} {}", plain.is_some_and(|q| q.is_ok()), longer.is_some_and(|q| q.is_ok()))
        }
    }
}

/// A body is refused with the status that says why, or it is a JSON object, and translates.
pub fn body(data: &[u8]) {
    one_body::<NewItem>(data, |item| {
        if let Ok(rpc::CreateItemRequest { price, .. }) = item.into_rpc() {
            assert!(price.is_none_or(|price| price.minor_units >= 0), "{price:?}");
        }
    });
    one_body::<NewPurchase>(data, drop);
    one_body::<NewDeposit>(data, |deposit| {
        if let Ok(amount) = deposit.into_rpc() {
            assert!(amount.minor_units >= 0, "{amount:?}");
        }
    });
    one_body::<NewChannel>(data, drop);
    one_body::<NewPost>(data, drop);
    one_body::<ChannelChange>(data, drop);
    one_body::<PostChange>(data, drop);
    one_body::<Credentials>(data, drop);
    one_body::<Registration>(data, drop);
    one_body::<NewPassword>(data, drop);
    one_body::<Change>(data, drop);
}

fn one_body<T: DeserializeOwned>(data: &[u8], translate: fn(T)) {
    let request = Request::post("/").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(data.to_vec())).expect("request");
    match timed(JsonBody::<T>::from_request(request, &())) {
        Ok(JsonBody(body)) => {
            // Nothing is asked of values that no field takes: half a surrogate pair is no text, and yet JSON.
            serde_json::from_slice::<HashMap<String, IgnoredAny>>(data).expect("an object");
            translate(body);
        }
        Err(problem) => assert_refused(&problem, &[400, 413, 422]),
    }
}

/// The outcome of what needs a clock to be told that it may not wait.
fn timed<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// An id is canonical, and a page's offset is one that a store can take.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(ItemId(id)) = text.parse() {
        assert!(id.eq_ignore_ascii_case(text) && id.len() == 24, "{text:?}");
        assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text:?}");
    }
    if let Ok(ChannelId(id)) = text.parse() {
        assert!(id > 0 && text.trim_start_matches(['+', '0']) == id.to_string(), "{text:?}");
    }
    if let Some((page, limit)) = text.split_once(',') {
        let mut violations = Violations::default();
        let page = Page::parse(page.parse().ok(), limit.parse().ok(), &mut violations);
        if violations.into_result().is_ok() {
            assert!(page.offset() >= 0 && (1..=100).contains(&page.limit), "{page:?}");
        }
    }
}

/// No header is believed that we did not sign; and of what we signed, only what says who and until when.
pub fn token(data: &[u8]) {
    static KEYS: LazyLock<(SigningKeys, Verifier)> = LazyLock::new(|| {
        let keys = SigningKeys::load(&SigningKeys::generate().expect("key")).expect("reads");
        let verifier = Verifier::new(keys.jwks(), Clock::system(), Ended::default()).expect("verifier");
        (keys, verifier)
    });
    let (keys, verifier) = &*KEYS;
    if let Ok(value) = HeaderValue::from_bytes(data) {
        for name in [header::AUTHORIZATION, HeaderName::from_static("x-auth-token")] {
            if let Ok(token) = identity::token(&HeaderMap::from_iter([(name, value.clone())])) {
                assert_eq!(verifier.verify(token), Err(Unauthorized::InvalidToken), "{token}");
            }
        }
    }
    let Ok(claims) = serde_json::from_slice::<Value>(data) else { return };
    if let Ok(said) = verifier.verify(&keys.sign(&claims).expect("signs")) {
        assert_eq!(claims["sub"].as_str().map(Uuid::parse_str), Some(Ok(said.sub)));
        assert!(claims["exp"].as_i64().is_some_and(|exp| exp > verifier.clock().unix_seconds()), "{claims}");
    }
}

/// Whatever a client writes into `X-Forwarded-For`, who counts is the one that the trusted proxy saw.
pub fn forwarded_for(data: &[u8]) {
    let counted = |peer: Ipv4Addr, hops: &[&[u8]]| {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.into(), 1)));
        for hop in hops {
            request.headers_mut().append("x-forwarded-for", HeaderValue::from_bytes(hop).ok()?);
        }
        Some(client(&request))
    };
    assert!(counted(STRANGER, &[data]).is_none_or(|who| who == STRANGER));
    let seen = STRANGER.to_string();
    assert!(counted(PROXY, &[data, seen.as_bytes()]).is_none_or(|who| who == STRANGER));
    assert!(counted(PROXY, &[&[data, b", ", seen.as_bytes()].concat()]).is_none_or(|who| who == STRANGER));
    counted(PROXY, &[data]);
    // A proxy that hides who asked it counts itself.
    assert!(counted(PROXY, &[data, b"unknown"]).is_none_or(|who| who == PROXY));
}

/// Whose calls a request counts among, where only [`PROXY`] is trusted.
fn client(request: &Request) -> IpAddr {
    let ClientAddress(address) = ClientAddress::of(request.headers(), request.extensions(), &[PROXY_NETWORK]);
    address
}

fn assert_refused(problem: &Problem, statuses: &[u16]) {
    assert!(statuses.contains(&problem.status().as_u16()) && !problem.code().is_empty(), "{problem:?}");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    type Target = fn(&[u8]);

    #[test]
    fn the_corpora_hold() {
        let targets: [(&str, Target); 6] = [
            ("body", body),
            ("forwarded_for", forwarded_for),
            ("ids", ids),
            ("money", money),
            ("query", query),
            ("token", token),
        ];
        let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        for (name, target) in targets {
            let files: Vec<_> = fs::read_dir(corpora.join(name)).expect(name).collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                target(&fs::read(file.expect("entry").path()).expect("readable"));
            }
        }
    }
}

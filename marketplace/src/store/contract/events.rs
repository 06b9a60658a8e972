//! What is told of acts: with the act, or not at all.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use ::events::Event;
use futures_util::future::join_all;
use kernel::{Caller, Currency, Money};
use serde_json::{Value, json};
use storage::{
    idempotency::Claim,
    lease::{RENEWAL, TASKS, TERM},
    outbox::Stamped,
};
use uuid::Uuid;

use super::{OPENING, attempt, buy, draft, first_page, sell, usd, user};
use crate::{
    deposit::Deposit,
    id,
    item::{Item, ItemFilter, ItemSort, Listing, NewItem},
    purchase::Attempt,
    store::{Error, Store},
    time,
};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// All that is told and was not before, as JSON, in the order in which it happened.
pub(crate) async fn told(store: &dyn Store) -> Vec<Value> {
    let (leases, outbox) = (store.leases(), store.outbox());
    let token = leases.acquire(TASKS, "test", TERM).await.expect("answers").expect("it is free");
    while outbox.stamp(token, 500).await.expect("stamps") > 0 {
        assert!(leases.renew(TASKS, token, TERM + RENEWAL).await.expect("answers"));
    }
    let mut stamped = outbox.unsent(500).await.expect("reads");
    if let Some(last) = stamped.last() {
        outbox.sent(token, last.sequence).await.expect("notes");
    }
    leases.release(TASKS, token).await.expect("answers");
    stamped.sort_by_key(|stamped| stamped.message.id);
    let json = |Stamped { message, .. }: Stamped| {
        let event = Event::from_json(message.body.as_bytes()).expect("an event");
        let kept = (message.id, message.subject.as_str(), message.version as u64);
        assert_eq!(kept, (event.id, event.subject.as_str(), event.version));
        assert_eq!(message.kind, event.kind);
        assert!(event.known().is_some(), "{event:?}");
        serde_json::from_str(&message.body).expect("JSON")
    };
    stamped.into_iter().map(json).collect()
}

async fn kinds(store: &dyn Store) -> Vec<String> {
    told(store).await.iter().map(|event| event["type"].as_str().expect("text").to_owned()).collect()
}

async fn listed(store: &dyn Store, seller: &Caller, new: NewItem, traceparent: Option<&str>) -> Item {
    let listing = Listing::new(seller.clone(), new.listed(seller.id, time::now()), None);
    let listing = Listing { traceparent: traceparent.map(str::to_owned), ..listing };
    store.create_item(listing).await.expect("creates")
}

/// What opening a wallet tells.
fn opened(owner: &Caller) -> Value {
    let units = ["100000", "100000", "100000000000", "10000000"].map(|amount| amount.parse::<i64>().expect("a number"));
    let amounts = |sign: i64, account: &str, opened: bool| {
        let posting = |(currency, minor_units): (Currency, i64)| {
            let amount = Money { currency, minor_units: sign * minor_units }.decimal();
            let amount = json!({ "currency": currency.as_str(), "amount": amount });
            if opened {
                json!({ "account": account, "amount": amount, "opened": true })
            } else {
                json!({ "account": account, "amount": amount })
            }
        };
        Currency::ALL.into_iter().zip(units).map(posting).collect::<Vec<_>>()
    };
    let user = owner.id.to_string();
    let postings = [amounts(-1, "treasury", false), amounts(1, &user, true)].concat();
    json!({ "actId": user, "kind": "issue", "postings": postings })
}

pub(crate) async fn acts_are_told_whole_in_their_trace(store: &dyn Store) {
    assert_eq!(OPENING, 1_000);
    let (seller, buyer, looker) = (user("seller"), user("buyer"), user("looker"));
    let price = Money { currency: Currency::Gold, minor_units: 12_345 };
    let new = NewItem { description: "ä".repeat(201), is_premium: true, ..draft(price) };
    let item = listed(store, &seller, new, Some(TRACE)).await;
    let traceparent = Some(TRACE.to_owned());
    let attempt = Attempt { traceparent: traceparent.clone(), ..attempt(&buyer, &item, None) };
    let sale = store.purchase(attempt).await.expect("no failure").expect("buys");
    assert_eq!((item.version, sale.item.version), (1, 2));
    let shown = store.item(item.id).await.expect("reads").expect("is there");
    assert_eq!(shown.item, sale.item);
    let deposit = Deposit { traceparent, ..Deposit::new(buyer.clone(), usd(250), None, time::now()) };
    let made = store.deposit(deposit).await.expect("no failure").expect("deposits");
    store.wallet(&looker, Some(TRACE)).await.expect("opens");

    let (item, transaction) = (item.id.to_hex(), sale.transaction.id.to_hex());
    let (seller_id, buyer_id, looker_id) = (seller.id.to_string(), buyer.id.to_string(), looker.id.to_string());
    let gold = |amount: &str| json!({ "currency": "GOLD", "amount": amount });
    let dollars = |amount: &str| json!({ "currency": "USD", "amount": amount });
    let to_buyer = format!("users:{}", buyer.id);
    let expected = [
        ("money.moved", &seller_id, "1", "system", opened(&seller)),
        (
            "item.listed",
            &item,
            "1",
            "all",
            json!({
                "itemId": item,
                "sellerId": seller.id,
                "name": "Printing press",
                "excerpt": "ä".repeat(199) + "…",
                "category": "asset",
                "price": gold("1.2345"),
                "isPremium": true,
            }),
        ),
        ("money.moved", &buyer_id, "1", "system", opened(&buyer)),
        (
            "item.sold",
            &item,
            "2",
            "all",
            json!({
                "itemId": item,
                "transactionId": transaction,
                "sellerId": seller.id,
                "buyerId": buyer.id,
                "name": "Printing press",
                "category": "asset",
                "price": gold("1.2345"),
                "type": "purchase",
            }),
        ),
        (
            "money.moved",
            &transaction,
            "1",
            "system",
            json!({
                "actId": transaction,
                "kind": "sale",
                "postings": [
                    { "account": buyer.id, "amount": gold("-1.2345") },
                    { "account": seller.id, "amount": gold("1.2345") },
                ],
                "itemId": item,
                "category": "asset",
                "type": "purchase",
            }),
        ),
        // Four entries from the opening, one from the purchase, and then this one.
        (
            "money.deposited",
            &buyer_id,
            "6",
            to_buyer.as_str(),
            json!({ "userId": buyer.id, "actId": made.reference, "amount": dollars("2.50") }),
        ),
        (
            "money.moved",
            &made.reference,
            "1",
            "system",
            json!({
                "actId": made.reference,
                "kind": "deposit",
                "postings": [
                    { "account": "treasury", "amount": dollars("-2.50") },
                    { "account": buyer.id, "amount": dollars("2.50") },
                ],
            }),
        ),
        ("money.moved", &looker_id, "1", "system", opened(&looker)),
    ];
    let told = told(store).await;
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (event, (kind, subject, version, audience, data)) in told.iter().zip(expected) {
        let expected = json!({
            "specversion": "1.0",
            "id": event["id"],
            "source": "/marketplace",
            "type": kind,
            "subject": subject,
            "time": event["time"],
            "version": version,
            "traceparent": TRACE,
            "audience": audience,
            "data": data,
        });
        assert_eq!(*event, expected);
    }
}

pub(crate) async fn a_first_look_at_the_entries_is_told_and_no_other(store: &dyn Store) {
    let owner = user("owner");
    let newest = crate::wallet::EntryQuery::Before { before: 100, limit: 10 };
    for _ in 0..2 {
        store.entries(&owner, newest, None).await.expect("reads");
        store.wallet(&owner, None).await.expect("reads");
    }
    let told = told(store).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((&told[0]["data"], told[0].get("traceparent")), (&opened(&owner), None));
}

pub(crate) async fn a_refusal_is_not_told(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let (sold, dear) = (sell(store, &seller, usd(1)).await, sell(store, &seller, usd(OPENING * 100 + 1)).await);
    buy(store, &buyer, &sold, None).await.expect("buys");
    assert!(!told(store).await.is_empty());
    let nowhere = Item { id: id::next(), ..sold.clone() };
    for key in [None, Some("key")] {
        for (number, (caller, item)) in
            [(&buyer, &nowhere), (&seller, &dear), (&buyer, &sold), (&buyer, &dear)].into_iter().enumerate()
        {
            let key = key.map(|key| format!("{key}-{number}"));
            for _ in 0..2 {
                buy(store, caller, item, key.as_deref()).await.expect_err("refused");
            }
        }
        let too_much = usd(1_000_001);
        let claim = key.map(|key| Claim::new(buyer.id, "Deposit", key.parse().expect("key"), &too_much));
        let deposit = || Deposit::new(buyer.clone(), too_much, claim.clone(), time::now());
        for _ in 0..2 {
            store.deposit(deposit()).await.expect("no failure").expect_err("refused");
        }
    }
    assert_eq!(kinds(store).await, Vec::<String>::new());
    // What the refused one had opened stays, and is told.
    buy(store, &user("new"), &nowhere, None).await.expect_err("refused");
    assert_eq!(kinds(store).await, ["money.moved"]);
}

pub(crate) async fn a_retry_is_not_told_again(store: &dyn Store) {
    let (seller, buyer) = (user("seller"), user("buyer"));
    let item = sell(store, &seller, usd(1)).await;
    store.wallet(&buyer, None).await.expect("opens");
    told(store).await;
    let list = || {
        let new = draft(usd(2));
        let claim = Claim::new(buyer.id, "CreateItem", "key".parse().expect("key"), &new);
        store.create_item(Listing::new(buyer.clone(), new.listed(buyer.id, time::now()), Some(claim)))
    };
    let deposit = || {
        let claim = Claim::new(buyer.id, "Deposit", "key".parse().expect("key"), &usd(1));
        store.deposit(Deposit::new(buyer.clone(), usd(1), Some(claim), time::now()))
    };
    // All at once, and then once more.
    for times in [6, 1] {
        let lists = join_all((0..times).map(|_| list())).await;
        let buys = join_all((0..times).map(|_| buy(store, &buyer, &item, Some("key")))).await;
        let deposits = join_all((0..times).map(|_| deposit())).await;
        assert!(lists.iter().all(Result::is_ok), "{lists:?}");
        assert!(buys.iter().all(Result::is_ok), "{buys:?}");
        assert!(deposits.iter().all(|made| matches!(made, Ok(Ok(_)))), "{deposits:?}");
    }
    let mut kinds = kinds(store).await;
    kinds.sort_unstable();
    assert_eq!(kinds, ["item.listed", "item.sold", "money.deposited", "money.moved", "money.moved"]);
}

/// Calls that their callers gave up on in the middle: cut off at any moment, the act and what is told of it are there or
/// neither is.
pub(crate) async fn every_act_that_is_done_is_told_and_no_other(store: &dyn Store) {
    let sellers: Vec<_> = ["ada", "bob", "eve"].map(user).into();
    for seller in &sellers {
        store.wallet(seller, None).await.expect("opens");
    }
    let calls = (0..45_u64).zip(sellers.iter().cycle()).map(|(number, seller)| {
        let new = draft(usd(1));
        let key = Uuid::new_v4().to_string().parse().expect("key");
        let claim = (number % 2 == 0).then(|| Claim::new(seller.id, "CreateItem", key, &new));
        let listing = Listing::new(seller.clone(), new.listed(seller.id, time::now()), claim);
        tokio::time::timeout(Duration::from_micros(number * number * 50), store.create_item(listing))
    });
    join_all(calls).await;
    // What is under way may end yet, well or not.
    let mut kept = listings(store).await;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = listings(store).await;
        if now == kept {
            break;
        }
        kept = now;
    }
    let mut subjects = Vec::new();
    for event in told(store).await.iter().filter(|event| event["type"] == "item.listed") {
        subjects.push(event["subject"].as_str().expect("text").to_owned());
    }
    subjects.sort_unstable();
    assert_eq!(subjects, kept.into_iter().collect::<Vec<_>>());
}

/// What was cut off may hold a server for some seconds, until that gives it up.
async fn listings(store: &dyn Store) -> BTreeSet<String> {
    let all = first_page(ItemFilter::default(), ItemSort::Newest);
    let patience = Instant::now() + Duration::from_secs(60);
    let (items, total) = loop {
        match store.list_items(&all).await {
            Err(Error::Unavailable(_)) if Instant::now() < patience => {}
            ended => break ended.expect("lists"),
        }
    };
    assert_eq!(items.len() as u64, total);
    items.into_iter().map(|item| item.id.to_hex()).collect()
}

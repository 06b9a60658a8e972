//! Afterwards, with everything healthy: is what is there what clients were told, and does the money add up?

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use kernel::Currency;
use lab::system::Ledger;
use serde_json::Value;

use super::{
    calls::{Ask, Caller},
    clients::Client,
    history::{Attempt, Deposit, Listing, Outcome, Said},
    told::Facts,
};

/// For a read of a healthy system, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// A user and the wallet's owner.
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) caller: Caller,
}

/// A sale as its item's page shows it.
struct Trade {
    id: String,
    item: String,
    buyer: String,
    seller: String,
    currency: String,
    price: i64,
}

/// Minor units of an amount in JSON; those of a run are small enough for a float to hold.
fn minor(amount: &Value, currency: &str) -> i64 {
    let scale = currency.parse::<Currency>().unwrap().scale();
    (amount.as_f64().unwrap_or(f64::NAN) * scale as f64).round() as i64
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The JSON of a page, past the cache.
async fn fetch(caller: &mut Caller, path: &str) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = caller.call(0, Ask::fresh(path)).await;
        match answer {
            Some(answer) if answer.status == 200 => return answer.json,
            Some(answer) if answer.is_fault() && Instant::now() < give_up => {}
            None if Instant::now() < give_up => {}
            answer => {
                caller.violation(format!("GET {path}, with all faults over: {answer:?}"));
                return Value::Null;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Everything in a list.
async fn fetch_all(caller: &mut Caller, path: &str, member: &str, pagination: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut answer = fetch(caller, &format!("{path}{joint}limit=100&page={page}")).await;
        if let Value::Array(entries) = answer[member].take() {
            all.extend(entries);
        }
        if answer[pagination]["pages"].as_i64().unwrap_or(0) <= page {
            break;
        }
    }
    all
}

/// Attempts whose outcome nobody has been told yet get it.
pub(super) async fn settle_keys(client: &mut Client) {
    let attempts = client.caller.run.history.attempts.lock().unwrap().clone();
    let mut known: HashMap<&str, Option<Outcome>> = HashMap::new();
    for Attempt { key, outcome, buyer, .. } in &attempts {
        if let Some(key) = key.as_deref().filter(|_| *buyer == client.user) {
            let known = known.entry(key).or_default();
            if *outcome != Outcome::Unknown {
                *known = Some(outcome.clone());
            }
        }
    }
    for Attempt { item, key, .. } in &attempts {
        let Some(mut known) = key.as_deref().and_then(|key| known.remove(key)) else { continue };
        let give_up = Instant::now() + PATIENCE;
        while client.attempt(item, key.as_deref(), &mut known).await == Outcome::Unknown {
            if Instant::now() > give_up {
                client.caller.violation(format!("{key:?} for {item} has no outcome, with all faults over"));
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Deposits whose outcome nobody has been told yet get it.
pub(super) async fn settle_deposits(client: &mut Client) {
    let run = client.caller.run.clone();
    let deposits = run.history.deposits.lock().unwrap().clone();
    let user = client.user.clone();
    for (index, deposit) in deposits.iter().enumerate().filter(|(_, deposit)| deposit.owner == user) {
        let (give_up, mut known) = (Instant::now() + PATIENCE, deposit.outcome.clone());
        client.make(deposit, &mut known).await;
        while known == Outcome::Unknown {
            if Instant::now() > give_up {
                client.caller.violation(format!("{} has no outcome, with all faults over", deposit.key));
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.make(deposit, &mut known).await;
        }
        run.history.deposits.lock().unwrap()[index].outcome = known;
    }
}

/// All that must hold at the end, through the public doors. What was done.
pub(super) async fn check(owners: &mut [Owner]) -> Facts {
    let opening = owners[0].caller.run.settings.economy.opening_balance;
    let deposits = owners[0].caller.run.history.deposits.lock().unwrap().clone();
    let mut facts = Facts::default();
    let trades = check_market(&mut owners[0].caller, &mut facts).await;
    check_words(&mut owners[0].caller, &mut facts).await;
    let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
    for owner in &*owners {
        for currency in Currency::ALL {
            expected.insert((owner.id.clone(), currency.as_str().to_owned()), opening.get(currency).minor_units);
        }
    }
    for Trade { id, item, buyer, seller, currency, price } in trades {
        facts.add("item.sold", &id);
        for (owner, amount) in [(buyer, -price), (seller, price)] {
            match expected.get_mut(&(owner.clone(), currency.clone())) {
                Some(balance) => *balance += amount,
                None => owners[0].caller.violation(format!("{item} was traded by {owner}, who is nobody")),
            }
        }
    }
    for Deposit { owner, currency, amount, .. } in deposits.iter().filter(|d| matches!(d.outcome, Outcome::Done(_))) {
        *expected.get_mut(&(owner.clone(), (*currency).to_owned())).unwrap() += amount;
        facts.add("money.deposited", owner);
    }
    for Owner { id, caller } in owners {
        facts.add("user.created", id);
        let entries = check_entries(id, caller).await;
        let wallet = fetch(caller, "/marketplace/wallet").await;
        for balance in wallet["balances"].as_array().into_iter().flatten() {
            let currency = text(&balance["currency"]);
            let (is, trades_say) = (minor(&balance["balance"], &currency), expected[&(id.clone(), currency.clone())]);
            if is != trades_say || is < 0 {
                caller.violation(format!("the wallet of {id} has {is} {currency}, its trades say {trades_say}"));
            }
            let entries_say = entries.get(&currency).copied().unwrap_or_default();
            if is != entries_say {
                caller.violation(format!("the wallet of {id} has {is} {currency}, its entries say {entries_say}"));
            }
        }
    }
    facts
}

/// What the entries of a wallet add up to, a currency; each follows from the one before.
async fn check_entries(id: &str, caller: &mut Caller) -> HashMap<String, i64> {
    let newest_first = fetch_all(caller, "/marketplace/wallet/entries", "entries", "pagination").await;
    let mut sums: HashMap<String, i64> = HashMap::new();
    for (number, entry) in (1..).zip(newest_first.iter().rev()) {
        let currency = text(&entry["currency"]);
        let sum = sums.entry(currency.clone()).or_default();
        *sum += minor(&entry["amount"], &currency);
        if entry["number"] != number || minor(&entry["balance"], &currency) != *sum || *sum < 0 {
            caller.violation(format!("entry {number} of {id} is to leave {sum} {currency}: {entry}"));
        }
    }
    sums
}

/// Items and their sales against what sellers and buyers were told; the sales.
async fn check_market(caller: &mut Caller, facts: &mut Facts) -> Vec<Trade> {
    let run = caller.run.clone();
    let items = fetch_all(caller, "/marketplace/list", "items", "pagination").await;
    let mut by_name: HashMap<String, Vec<&Value>> = HashMap::new();
    for item in &items {
        facts.add("item.listed", &text(&item["_id"]));
        by_name.entry(text(&item["name"])).or_default().push(item);
    }
    for listing in &*run.history.listings.lock().unwrap() {
        let there = by_name.get(&listing.name).map(Vec::as_slice).unwrap_or_default();
        let is_right = match (&listing.outcome, there) {
            (Outcome::Done(id), [item]) => item["_id"] == **id,
            (Outcome::Unknown, [] | [_]) | (Outcome::Refused(_), []) => true,
            _ => false,
        } && there.iter().all(|item| {
            let price = minor(&item["price"], &listing.currency);
            price == listing.price && item["currency"] == *listing.currency && item["sellerId"] == *listing.seller
        });
        if !is_right {
            let Listing { request, name, price, currency, outcome, .. } = listing;
            caller.violation(format!(
                "{request}: listing {name} for {price} minor units of {currency} ended in {outcome:?}, there is {there:?}"
            ));
        }
    }

    let attempts = run.history.attempts.lock().unwrap().clone();
    let mut trades = Vec::new();
    for item in &items {
        let id = text(&item["_id"]);
        let page = fetch(caller, &format!("/marketplace/item/{id}")).await;
        let history = page["transactionHistory"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_sold = item["status"] == "sold";
        if history.len() != usize::from(is_sold) {
            caller.violation(format!("item {id} is {}, and its transactions are {history:?}", item["status"]));
        }
        let of_item: Vec<_> = attempts.iter().filter(|attempt| attempt.item == id).collect();
        for transaction in history {
            let (buyer, currency) = (text(&transaction["buyerId"]), text(&transaction["currency"]));
            let asked = |attempt: &&Attempt| attempt.buyer == buyer && !matches!(attempt.outcome, Outcome::Refused(_));
            if !of_item.iter().copied().any(|attempt| asked(&attempt)) {
                caller.violation(format!(
                    "item {id} was sold to {buyer} by {transaction}, who asked for it only in vain: {:?}",
                    of_item
                        .iter()
                        .filter(|attempt| attempt.buyer == buyer)
                        .map(|attempt| (&attempt.request, &attempt.key, &attempt.outcome))
                        .collect::<Vec<_>>()
                ));
            }
            let price = minor(&transaction["price"], &currency);
            let (id, item_id) = (text(&transaction["_id"]), id.clone());
            trades.push(Trade { id, item: item_id, buyer, seller: text(&item["sellerId"]), currency, price });
        }
        let there: HashSet<_> = history.iter().map(|transaction| text(&transaction["_id"])).collect();
        for attempt in of_item {
            if matches!(&attempt.outcome, Outcome::Done(transaction) if !there.contains(transaction)) {
                let Attempt { request, buyer, outcome, .. } = attempt;
                caller.violation(format!(
                    "{request}: item {id} was bought by {buyer}, {outcome:?}, there is {history:?}"
                ));
            }
        }
    }
    trades
}

/// Channels and posts against what their authors were told.
async fn check_words(caller: &mut Caller, facts: &mut Facts) {
    let run = caller.run.clone();
    let channels = fetch_all(caller, "/discourse/channels", "channels", "pagination").await;
    let mut there: HashMap<String, Vec<String>> = HashMap::new();
    for channel in &channels {
        let id = text(&channel["id"]);
        facts.add("channel.created", &id);
        there.entry(text(&channel["name"])).or_default().push(id.clone());
        for post in fetch_all(caller, &format!("/discourse/channel/{id}"), "posts", "postsPagination").await {
            facts.add("post.created", &text(&post["id"]));
            there.entry(text(&post["content"])).or_default().push(text(&post["id"]));
        }
    }
    for said in &*run.history.said.lock().unwrap() {
        let found = there.get(&said.text).map(Vec::as_slice).unwrap_or_default();
        let is_right = match (&said.outcome, found) {
            (Outcome::Done(id), [only]) => only == id,
            (Outcome::Unknown, [] | [_]) | (Outcome::Refused(_), []) => true,
            _ => false,
        };
        if !is_right {
            let Said { request, channel, text, outcome } = said;
            let place = channel.as_deref().map_or("as a channel".to_owned(), |id| format!("in channel {id}"));
            caller.violation(format!("{request}: writing {text} {place} ended in {outcome:?}, there is {found:?}"));
        }
    }
}

/// The books, read from behind.
pub(super) async fn check_ledger(caller: &Caller, ledger: &Ledger) {
    for (currency, sum) in ledger.imbalance().await.unwrap() {
        if sum != 0 {
            caller.violation(format!("the ledger's sum is {sum} {currency} instead of 0"));
        }
    }
    for discrepancy in ledger.audit().await.unwrap() {
        caller.violation(format!("the books are not right: {discrepancy:?}"));
    }
}

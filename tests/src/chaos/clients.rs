//! People who trade and talk as fast as they can, and believe what they are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    calls::{Answer, Ask, Caller},
    history::{Attempt, Deposit, Fact, Listing, Outcome, Said, Written},
    weather::Place,
};

/// Newest offers, all of which somebody else wants, too.
const HOT: usize = 12;
/// A read that began before a write may put an older answer into the cache for as long: a call's deadline and a margin.
const LATE_FILL: Duration = Duration::from_secs(7);
/// A gateway that was cut off from Redis knows within this that it no longer is.
const RECONNECTED: Duration = Duration::from_secs(5);

/// One client; several may be the same user.
pub(super) struct Client {
    pub(super) caller: Caller,
    pub(super) user: String,
    pub(super) random: fastrand::Rng,
    pub(super) tally: Tally,
    /// A channel of its own, once it has one.
    channel: Option<String>,
    made: u64,
}

/// What all clients were told: how often what came of a call.
#[derive(Clone, Default)]
pub(super) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    fn add(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    pub(super) fn numbers(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap().clone()
    }
}

impl Client {
    pub(super) fn new(caller: Caller, user: String, random: fastrand::Rng, tally: Tally) -> Self {
        Self { caller, user, random, tally, channel: None, made: 0 }
    }

    /// Acts until the run is stopped.
    pub(super) async fn act_on(mut self) {
        let stop = self.caller.run.stop.clone();
        // Opens its channel.
        self.post().await;
        while !stop.is_cancelled() {
            match self.random.u32(..100) {
                0..25 => self.list_item().await,
                25..40 => self.buy(None).await,
                40..60 => {
                    let key = self.unique("key");
                    self.buy(Some(key)).await;
                }
                60..75 => self.post().await,
                75..82 => self.recall().await,
                82..87 => self.deposit().await,
                _ => self.look_around().await,
            }
            sleep(Duration::from_millis(self.random.u64(..40))).await;
        }
    }

    /// A text that nobody else has.
    fn unique(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what} {}-{}", self.caller.name, self.made).replace(' ', "-")
    }

    fn door(&mut self) -> usize {
        self.random.usize(..self.caller.run.doors.len())
    }

    async fn call(&mut self, door: usize, ask: Ask<'_>) -> Option<Answer> {
        let answer = self.caller.call(door, ask).await;
        self.tally.add(match &answer {
            Some(answer) => format!("{} {}", answer.status, answer.code).trim_end().to_owned(),
            None => "no answer".to_owned(),
        });
        if answer.as_ref().is_none_or(Answer::is_fault) {
            // As polite as the contract asks a client to be: where nobody answers, calls that fail at once prove little.
            sleep(Duration::from_millis(self.random.u64(100..500))).await;
        }
        answer
    }

    /// An answer that this call has no business to get.
    fn unexpected(&self, what: &str, answer: &Answer) {
        let Answer { status, json, request, .. } = answer;
        self.caller.violation(format!("{request}: {what} must not be answered so: {status} {json}"));
    }

    async fn list_item(&mut self) {
        let (name, door, begun) = (self.unique("item"), self.door(), Instant::now());
        let price = self.random.i64(1000..9000);
        let currency = if self.random.bool() { "USD" } else { "EUR" };
        let body = json!({
            "name": name, "description": "Well made, hardly used.", "category": "asset", "currency": currency,
            "price": format!("{}.{:02}", price / 100, price % 100),
        });
        let answer = self.call(door, Ask::post("/marketplace/item", body)).await;
        let outcome = self.written(answer, "listing an item", 201, "_id", &[]);
        let (run, request) = (self.caller.run.clone(), self.caller.last_request());
        if let Outcome::Done(item) = &outcome {
            self.tally.add("listed");
            run.offers.lock().unwrap().push(item.clone());
        }
        let (seller, currency) = (self.user.clone(), currency.to_owned());
        let listing = Listing { name, seller, price, currency, outcome: outcome.clone(), request: request.clone() };
        run.history.listings.lock().unwrap().push(listing);
        if let Outcome::Done(item) = outcome {
            let what = Written::Listed { item, seller: self.user.clone() };
            self.remember(Fact { what, door, begun, request }).await;
        }
    }

    /// With a key it is tried again until the outcome is known, and sometimes once more.
    async fn buy(&mut self, key: Option<String>) {
        let offered = {
            let offers = self.caller.run.offers.lock().unwrap();
            let hot = &offers[offers.len().saturating_sub(HOT)..];
            self.random.choice(hot).cloned()
        };
        let Some(item) = offered else { return };
        let mut known = None;
        while !self.caller.run.stop.is_cancelled() {
            let outcome = self.attempt(&item, key.as_deref(), &mut known).await;
            match outcome {
                Outcome::Unknown if key.is_some() => sleep(Duration::from_millis(self.random.u64(20..200))).await,
                Outcome::Done(_) | Outcome::Refused(_) if key.is_some() && self.random.u32(..4) == 0 => {}
                _ => break,
            }
        }
    }

    /// One request; `known` is what an earlier one with the same key has ended in.
    pub(super) async fn attempt(&mut self, item: &str, key: Option<&str>, known: &mut Option<Outcome>) -> Outcome {
        let (door, begun) = (self.door(), Instant::now());
        let ask = Ask { key, ..Ask::post("/marketplace/purchase", json!({"itemId": item})) };
        let answer = self.call(door, ask).await;
        let refusals = ["item_not_available", "own_item", "insufficient_funds"];
        let bought = answer.as_ref().filter(|answer| answer.status == 200).map(|answer| answer.json.clone());
        if let Some(Value::Object(bought)) = &bought {
            let (transaction, sold) = (&bought["transaction"], &bought["item"]);
            if transaction["itemId"] != *item || transaction["buyerId"] != *self.user || sold["status"] != "sold" {
                self.unexpected(&format!("buying {item} as {}", self.user), answer.as_ref().unwrap());
            }
        }
        let answer = answer.map(|answer| match bought {
            Some(bought) => Answer { json: bought["transaction"].clone(), ..answer },
            None => answer,
        });
        let outcome = self.written(answer, &format!("buying {item}, which was listed,"), 200, "_id", &refusals);
        let (run, request) = (self.caller.run.clone(), self.caller.last_request());
        let attempt = Attempt {
            item: item.to_owned(),
            buyer: self.user.clone(),
            key: key.map(str::to_owned),
            outcome: outcome.clone(),
            request: request.clone(),
        };
        run.history.attempts.lock().unwrap().push(attempt);
        if outcome == Outcome::Unknown {
            return outcome;
        }
        if let (Some(first), Some(key)) = (known.as_ref(), key)
            && *first != outcome
        {
            self.caller.violation(format!("{request}: {key} for {item} ended in {first:?}, and now in {outcome:?}"));
        }
        *known = Some(outcome.clone());
        if let Outcome::Done(transaction) = &outcome {
            self.tally.add("bought");
            let what = Written::Sold { item: item.to_owned(), transaction: transaction.clone() };
            self.remember(Fact { what, door, begun, request }).await;
        }
        outcome
    }

    /// A little money, by a key that is tried again until the outcome is known, and sometimes once more.
    async fn deposit(&mut self) {
        let deposit = Deposit {
            owner: self.user.clone(),
            currency: if self.random.bool() { "USD" } else { "EUR" },
            amount: self.random.i64(1..500),
            key: self.unique("deposit"),
            outcome: Outcome::Unknown,
        };
        let mut known = Outcome::Unknown;
        while !self.caller.run.stop.is_cancelled() {
            self.make(&deposit, &mut known).await;
            match known {
                Outcome::Unknown => sleep(Duration::from_millis(self.random.u64(20..200))).await,
                _ if self.random.u32(..4) == 0 => {}
                _ => break,
            }
        }
        self.caller.run.history.deposits.lock().unwrap().push(Deposit { outcome: known, ..deposit });
    }

    /// One request; `known` is what an earlier one with the same key has ended in, if that is known.
    pub(super) async fn make(&mut self, deposit: &Deposit, known: &mut Outcome) {
        let Deposit { currency, amount, key, .. } = deposit;
        let body = json!({"currency": currency, "amount": format!("{}.{:02}", amount / 100, amount % 100)});
        let door = self.door();
        let answer = self.call(door, Ask { key: Some(key), ..Ask::post("/marketplace/deposit", body) }).await;
        let outcome = self.written(answer, "depositing", 201, "number", &["deposit_limit_exceeded"]);
        if outcome == Outcome::Unknown {
            return;
        }
        if *known != Outcome::Unknown && *known != outcome {
            let request = self.caller.last_request();
            self.caller.violation(format!("{request}: {key} ended in {known:?}, and now in {outcome:?}"));
        }
        if matches!(outcome, Outcome::Done(_)) {
            self.tally.add("deposited");
        }
        *known = outcome;
    }

    /// In a channel of its own, which it opens first.
    async fn post(&mut self) {
        let (door, begun) = (self.door(), Instant::now());
        let channel = self.channel.clone();
        let text = self.unique(if channel.is_some() { "post" } else { "channel" });
        let ask = match &channel {
            None => Ask::post("/discourse/channel", json!({"name": text})),
            Some(channel) => {
                let number: i64 = channel.parse().unwrap();
                Ask::post("/discourse/post", json!({"channelId": number, "content": text}))
            }
        };
        let answer = self.call(door, ask).await;
        let outcome = self.written(answer, "writing", 201, "id", &[]);
        let request = self.caller.last_request();
        let said = Said { channel: channel.clone(), text, outcome: outcome.clone(), request: request.clone() };
        self.caller.run.history.said.lock().unwrap().push(said);
        match (outcome, channel) {
            (Outcome::Done(id), None) => self.channel = Some(id),
            (Outcome::Done(post), Some(channel)) => {
                self.tally.add("posted");
                let what = Written::Posted { channel, post };
                self.remember(Fact { what, door, begun, request }).await;
            }
            _ => {}
        }
    }

    /// What the answer to a write says; one that is neither success nor one of these refusals is a violation.
    fn written(&self, answer: Option<Answer>, what: &str, success: u16, id: &str, refusals: &[&str]) -> Outcome {
        let Some(answer) = answer else { return Outcome::Unknown };
        if answer.status == success {
            let id = &answer.json[id];
            return Outcome::Done(id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        }
        if answer.status == 409 && refusals.contains(&answer.code.as_str()) {
            return Outcome::Refused(answer.code);
        }
        if answer.is_fault() || answer.status >= 500 {
            // A 5xx that is none of the contract was noted already; it may have happened all the same.
            return Outcome::Unknown;
        }
        self.unexpected(what, &answer);
        Outcome::Refused(answer.code)
    }

    /// Reads what was just written, and keeps it to be read again.
    async fn remember(&mut self, fact: Fact) {
        let door = if self.random.u32(..3) == 0 { self.door() } else { fact.door };
        self.read(door, &fact).await;
        self.caller.run.history.facts.lock().unwrap().push(fact);
    }

    /// Reads something that anybody wrote at any time.
    async fn recall(&mut self) {
        let fact = self.random.choice(&*self.caller.run.history.facts.lock().unwrap()).cloned();
        let door = self.door();
        if let Some(fact) = fact {
            self.read(door, &fact).await;
        }
    }

    async fn read(&mut self, door: usize, fact: &Fact) {
        let path = match &fact.what {
            Written::Listed { seller, .. } => format!("/marketplace/list?sellerId={seller}&limit=100"),
            Written::Sold { item, .. } => format!("/marketplace/item/{item}"),
            Written::Posted { channel, .. } => format!("/discourse/channel/{channel}?limit=100"),
        };
        let begun = Instant::now();
        let Some(answer) = self.call(door, Ask::get(&path)).await.filter(|answer| !answer.is_fault()) else { return };
        if answer.status != 200 {
            return self.unexpected(&format!("reading {path}, which {} wrote,", fact.request), &answer);
        }
        if !shows(&answer.json, &fact.what) && self.must_show(door, fact, begun) {
            let Fact { what, door: written, request, begun: since } = fact;
            self.caller.violation(format!(
                "{}: GET {path} ({}) through gateway-{} does not show {what:?}, which was acknowledged to {request} \
                 through gateway-{} {:?} ago: {}",
                answer.request,
                answer.cache,
                door + 1,
                written + 1,
                since.elapsed(),
                answer.json,
            ));
        }
    }

    /// Whether an answer of now through this gateway must show what was acknowledged: docs/design.md, "When Redis fails".
    fn must_show(&self, door: usize, fact: &Fact, read: Instant) -> bool {
        let run = &self.caller.run;
        let lifetime = run.settings.gateway.cache_ttl + LATE_FILL;
        read.duration_since(fact.begun) > lifetime
            || (door == fact.door && run.weather.was_up(door, fact.begun))
            || run.weather.was_calm(Place::Cache, fact.begun, RECONNECTED)
    }

    /// Looks at lists and at the own wallet.
    async fn look_around(&mut self) {
        let paths = [
            "/marketplace/list",
            "/marketplace/list?status=sold&sort=-price",
            "/marketplace/list?currency=EUR&maxPrice=30",
            "/discourse/channels",
            "/marketplace/wallet",
            "/marketplace/wallet/entries?limit=5",
        ];
        let (path, door) = (paths[self.random.usize(..paths.len())], self.door());
        let Some(answer) = self.call(door, Ask::get(path)).await.filter(|answer| !answer.is_fault()) else { return };
        if answer.status != 200 {
            return self.unexpected(path, &answer);
        }
        let mut balances = answer.json["balances"].as_array().into_iter().flatten();
        if balances.any(|balance| balance["balance"].as_f64().is_none_or(|amount| amount < 0.0)) {
            self.unexpected("a wallet that owes", &answer);
        }
    }
}

/// Whether an answer has what was written in it, or is a page that need not have it any more.
fn shows(json: &Value, what: &Written) -> bool {
    let has = |list: &Value, member: &str, id: &str| {
        let mut entries = list.as_array().into_iter().flatten();
        entries.any(|entry| entry[member].as_str().map_or_else(|| entry[member].to_string(), str::to_owned) == id)
    };
    let is_full = |pagination: &Value| pagination["total"].as_i64().is_some_and(|total| total > 100);
    match what {
        Written::Listed { item, .. } => has(&json["items"], "_id", item) || is_full(&json["pagination"]),
        Written::Sold { transaction, .. } => {
            json["status"] == "sold" && has(&json["transactionHistory"], "_id", transaction)
        }
        Written::Posted { post, .. } => has(&json["posts"], "id", post) || is_full(&json["postsPagination"]),
    }
}

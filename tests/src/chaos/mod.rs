//! A whole system under load and under faults, and the question whether it kept its word.
//!
//! | to find | look in |
//! |---|---|
//! | which faults come when | `plan` |
//! | how each is done | `faults`, on what is in `world` |
//! | what clients do, and what they check at once | `clients`; for any answer `calls` |
//! | what must hold at the end | `checker`; of events `told` |
//! | what may be put down to a fault | `weather` |

mod calls;
mod checker;
mod clients;
mod disk;
mod faults;
mod history;
mod plan;
mod told;
mod weather;
mod world;

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use client::body::{Credentials, Status};
use futures_util::future::join_all;
use lab::system::Settings;
use marketplace::wallet::Amounts;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{
    calls::{Ask, Caller, Run},
    checker::Owner,
    clients::{Client, Tally},
    history::History,
    plan::Plan,
    weather::Weather,
    world::World,
};
use crate::{JWT_KEY, Stack};

/// A password takes long to hash, on purpose, and many register at once.
const REGISTERED: Duration = Duration::from_secs(60);
/// Clients of one user: what they buy at once is paid from one wallet.
const CLIENTS_PER_USER: usize = 2;
/// Seconds; short, so that what may be stale for as long (docs/design.md, "When Redis fails") is not for most of a run.
const CACHE_TTL: Duration = Duration::from_secs(2);
/// Whole units of each currency: little enough to run out.
const OPENING_BALANCE: i64 = 150;
/// For a system to come up, on a busy machine.
const UP_WITHIN: Duration = Duration::from_secs(60);
/// Violations, and errors a process, that are printed: one mistake often shows in all that follows.
const MOST_SHOWN: usize = 20;
const PASSWORD: &str = "correct horse";

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub stack: Stack,
    /// Decides every fault, and what clients are up to.
    pub seed: u64,
    /// Faults come for as long.
    pub length: Duration,
    pub clients: usize,
    /// After the last fault every gateway is to be healthy within this time.
    pub healthy_within: Duration,
}

/// How it went.
#[derive(Debug)]
pub struct Report {
    options: Options,
    plan: Plan,
    /// What came of how many calls.
    numbers: BTreeMap<String, u64>,
    recovery: Duration,
    /// What must not have been; nothing if all is well.
    pub violations: Vec<String>,
}

/// Runs a system of its own for a while, does to it what the seed says, and checks it. What is under way is told to
/// `say`.
pub async fn run(options: Options, say: fn(&str)) -> Report {
    let mut settings = Settings::new(&JWT_KEY);
    settings.gateway.cache_ttl = CACHE_TTL;
    settings.economy.opening_balance = Amounts::each(OPENING_BALANCE).unwrap();
    let mut world = World::start(options.stack, settings.clone(), options.seed).await;
    let up = healthy(&world, UP_WITHIN).await;
    assert!(up.is_ok(), "the system does not come up: {up:?}");

    let users = options.clients.div_ceil(CLIENTS_PER_USER);
    let gate = format!("http://{}", world.gateways[0]);
    let tokens = join_all((0..users).map(|number| register(&gate, number))).await;
    let inventory = world.inventory();
    if options.stack == Stack::Embedded && inventory.disk.is_empty() {
        say("The disk is never full: only root may mount a small one.");
    }
    let plan = Plan::new(options.seed, options.length, &inventory);
    say(&plan.to_string());

    let run = Arc::new(Run {
        settings,
        doors: world.doors.clone(),
        weather: Weather::new(),
        history: History::default(),
        offers: Default::default(),
        stop: CancellationToken::new(),
    });
    let tally = Tally::default();
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let (user, token) = tokens[number / CLIENTS_PER_USER].clone();
        let caller = Caller::new(&run, format!("client-{number}"), token);
        let random = fastrand::Rng::with_seed(options.seed ^ (number as u64 + 1) << 32);
        clients.spawn(Client::new(caller, user, random, tally.clone()).act_on());
    }
    faults::play(&plan, &mut world, &run.weather).await;
    say(&format!("As it came:\n  {}\n", run.weather.report(Duration::MAX).join("\n  ")));
    let within = options.healthy_within;
    let recovery = healthy(&world, within).await;
    if let Err(status) = &recovery {
        run.history
            .violation(&run.weather, format!("expected healthy within {within:?} after the last fault: {status}"));
        let _ = healthy(&world, UP_WITHIN).await;
    }
    run.stop.cancel();
    clients.join_all().await;

    verify(&run, &mut world, &tokens, &tally).await;
    let mut violations = run.history.violations();
    for server in &world.servers {
        let log = server.log();
        violations.extend(
            log.lines()
                .filter(|line| line.contains("panicked at"))
                .map(|line| format!("{} panicked: {line}", server.name())),
        );
    }
    if !violations.is_empty() {
        for server in &world.servers {
            let log = server.log();
            // That a call was answered by an error is not what it was.
            let is_cause = |line: &&str| line.contains("ERROR") && !line.contains(r#""target":"access""#);
            let errors: Vec<_> = log.lines().filter(is_cause).take(MOST_SHOWN).collect();
            if !errors.is_empty() {
                say(&format!("The first errors of {}:\n  {}", server.name(), errors.join("\n  ")));
            }
        }
        say(&format!("The logs of all processes are in {}", world.keep_logs().display()));
    }
    Report { options, plan, numbers: tally.numbers(), recovery: recovery.unwrap_or(within), violations }
}

/// All that must hold once nothing happens any more.
async fn verify(run: &Arc<Run>, world: &mut World, tokens: &[(String, String)], tally: &Tally) {
    let mut owners = Vec::new();
    for (number, (id, token)) in tokens.iter().enumerate() {
        let caller = Caller::new(run, format!("settling-{number}"), token.clone());
        let mut client = Client::new(caller, id.clone(), fastrand::Rng::with_seed(0), tally.clone());
        checker::settle_keys(&mut client).await;
        checker::settle_deposits(&mut client).await;
        owners.push(Owner { id: id.clone(), caller: Caller::new(run, format!("checker-{number}"), token.clone()) });
    }
    let login = json!({"username": username(0), "password": PASSWORD});
    let answer = owners[0].caller.call(0, Ask::post("/auth/login", login)).await;
    if answer.as_ref().is_none_or(|answer| answer.status != 200) {
        owners[0].caller.violation(format!("a user cannot log in any more: {answer:?}"));
    }
    let facts = checker::check(&mut owners).await;
    told::check(&owners[0].caller, &world.log(), &facts).await;
    let ledger = world.ledger().await;
    checker::check_ledger(&owners[0].caller, &ledger).await;
    let numbers = tally.numbers();
    for what in ["listed", "bought", "deposited", "posted"] {
        if !numbers.contains_key(what) {
            owners[0].caller.violation(format!("nothing was {what}, and so nothing is proved: {numbers:?}"));
        }
    }
}

fn username(number: usize) -> String {
    format!("user-{number}")
}

/// A new user's id and token.
async fn register(gate: &str, number: usize) -> (String, String) {
    let client = client::Client::new(gate, REGISTERED).unwrap();
    let credentials = Credentials::new(username(number), PASSWORD);
    client.register(&credentials).await.unwrap();
    let login = client.login(&credentials).await.unwrap();
    (login.user_id.to_string(), login.token)
}

/// How long it takes until every gateway finds everything behind it healthy; the last that one said otherwise.
async fn healthy(world: &World, patience: Duration) -> Result<Duration, String> {
    let nobody = client::Client::new("", Duration::from_secs(2)).unwrap();
    let since = Instant::now();
    for gateway in &world.gateways {
        loop {
            let status = nobody.at(&format!("http://{gateway}")).get_status().await;
            if status.as_ref().is_ok_and(Status::is_healthy) {
                break;
            }
            if since.elapsed() > patience {
                return Err(format!("{gateway}: {status:?}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(since.elapsed())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { stack, seed, length, clients, .. } = self.options;
        let numbers: Vec<_> = self.numbers.iter().map(|(what, count)| format!("{what}: {count}")).collect();
        let violations = &self.violations;
        writeln!(
            f,
            "{stack:?}, seed {seed}, {} s, {clients} clients, {} faults; {}; healthy {} ms after the last fault",
            length.as_secs(),
            self.plan.len(),
            numbers.join(", "),
            self.recovery.as_millis(),
        )?;
        for violation in violations.iter().take(MOST_SHOWN) {
            writeln!(f, "VIOLATION {violation}")?;
        }
        match violations.len() {
            0 => writeln!(f, "Nothing was broken that was promised."),
            count => writeln!(
                f,
                "{count} violations. The same faults again: SEED={seed} SECONDS={} make chaos",
                length.as_secs()
            ),
        }
    }
}

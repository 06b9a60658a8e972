//! `make chaos`: breaks a system of its own in every way it can, and checks that it keeps its word.

use std::{process::ExitCode, time::Duration};

use tests::{
    Stack,
    chaos::{Options, run},
};

/// What is promised after the last fault.
const HEALTHY_WITHIN: Duration = Duration::from_secs(5);

/// A setting from the environment.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, it is {text}")),
        Err(_) => default,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let seed = setting("SEED", fastrand::u64(..1_000_000));
    let length = Duration::from_secs(setting("SECONDS", 60));
    let clients = setting("CLIENTS", 32) as usize;
    let mut is_well = true;
    let stacks = match std::env::args().nth(1).as_deref() {
        None => vec![Stack::Full, Stack::Embedded],
        Some("full") => vec![Stack::Full],
        Some("embedded") => vec![Stack::Embedded],
        Some(other) => panic!("full or embedded, not {other}; both where nothing is said"),
    };
    for stack in stacks {
        println!("{stack:?} stack, SEED={seed} SECONDS={} CLIENTS={clients}", length.as_secs());
        let report =
            run(Options { stack, seed, length, clients, healthy_within: HEALTHY_WITHIN }, |news| println!("{news}"))
                .await;
        println!("{report}");
        is_well &= report.violations.is_empty();
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

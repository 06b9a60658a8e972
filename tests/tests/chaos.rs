//! `make chaos`, shortly: three seeds on each stack.

use std::time::Duration;

use tests::{
    Stack,
    chaos::{Options, run},
};

const SEEDS: [u64; 3] = [1, 2, 3];

async fn short_runs(stack: Stack) {
    for seed in SEEDS {
        let length = Duration::from_secs(15);
        // Other tests run meanwhile: what is promised on a machine that has time is for `make chaos` to hold.
        let options = Options { stack, seed, length, clients: 16, healthy_within: Duration::from_secs(20) };
        let report = run(options, |news| println!("{news}")).await;
        assert!(report.violations.is_empty(), "{report}");
        println!("{report}");
    }
}

#[tokio::test]
async fn processes_on_databases_keep_their_word() {
    short_runs(Stack::Full).await;
}

#[tokio::test]
async fn one_process_on_embedded_stores_keeps_its_word() {
    short_runs(Stack::Embedded).await;
}

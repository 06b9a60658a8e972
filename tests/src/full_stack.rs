//! Gateway and replicas as processes of their own, on MongoDB, PostgreSQL and Redis, as in compose.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;

use crate::{
    Databases,
    embedded::replicas,
    server::{Run, Server},
    system::{Parts, SystemBuilder},
};

pub(crate) async fn start(builder: &SystemBuilder, databases: Arc<Databases>) -> Parts {
    let logs = tempfile::tempdir().unwrap();
    let process = |program: &str, name: &str, environment| Run::Process {
        program: binary(program),
        environment,
        log: logs.path().join(name),
    };
    let marketplace = replicas("marketplace", |name| {
        let opening_balance = builder.opening_balance.to_string();
        let environment = vec![("MONGODB_URI", databases.mongodb_uri.clone()), ("OPENING_BALANCE", opening_balance)];
        process("marketplace", &name, environment)
    });
    let discourse = replicas("discourse", |name| {
        process("discourse", &name, vec![("DATABASE_URL", databases.database_url.clone())])
    });
    let gateway = gateway(builder, &databases, &logs, "gateway-1", &marketplace, &discourse);
    // To look at the ledger from behind.
    let economy = marketplace::config::Options { opening_balance: builder.opening_balance };
    let items = marketplace::store::open(Some(&databases.mongodb_uri), Path::new(""), &economy).await.unwrap();
    Parts { gateway, marketplace, discourse, items, keep: Box::new((databases, logs)) }
}

/// A gateway in front of replicas that run.
pub(crate) fn gateway(
    builder: &SystemBuilder,
    databases: &Databases,
    logs: &TempDir,
    name: &str,
    marketplace: &[Server],
    discourse: &[Server],
) -> Server {
    let options = &builder.options;
    let environment = vec![
        ("REDIS_URL", databases.redis_url.clone()),
        ("REDIS_PREFIX", databases.redis_prefix.clone()),
        ("MARKETPLACE_REPLICAS", addresses(marketplace)),
        ("DISCOURSE_REPLICAS", addresses(discourse)),
        ("JWT_SECRET", crate::JWT_SECRET.to_owned()),
        ("JWT_TTL", options.jwt_ttl.as_secs().to_string()),
        ("CACHE_TTL", options.cache_ttl.as_secs().to_string()),
        ("RATE_LIMIT", options.rate_limit.to_string()),
        ("AUTH_RATE_LIMIT", options.auth_rate_limit.to_string()),
    ];
    let run = Run::Process { program: binary("gateway"), environment, log: logs.path().join(name) };
    Server::start(name.to_owned(), run)
}

fn addresses(replicas: &[Server]) -> String {
    replicas.iter().map(Server::address).map(|address: SocketAddr| address.to_string()).collect::<Vec<_>>().join(",")
}

/// A program of ours as it was built beside the test that runs.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{} is missing: `make test` builds it (cargo build --workspace --bins)", path.display());
    path
}

//! Gateway and replicas as tasks of this process, on embedded stores, as in `capsim`.

use std::sync::Arc;

use gateway::Stores;
use marketplace::store::Store as Items;
use storage::DataDir;

use crate::{
    server::{Run, Server},
    system::{Parts, SystemBuilder},
};

pub(crate) fn start(builder: &SystemBuilder) -> Parts {
    let data = tempfile::tempdir().unwrap();
    let economy = marketplace::config::Options { opening_balance: builder.opening_balance, ..Default::default() };
    let data_dir = DataDir::open(data.path(), false).unwrap();
    let items: Arc<dyn Items> = Arc::new(marketplace::store::embedded::Embedded::open(&data_dir, &economy).unwrap());
    let channels = Arc::new(discourse::store::embedded::Embedded::open(&data_dir).unwrap());
    let marketplace = replicas("marketplace", |name| {
        let items = Arc::clone(&items);
        Run::Task(Arc::new(move |listener, shutdown| {
            Box::pin(marketplace::serve(listener, name.clone(), Arc::clone(&items), shutdown))
        }))
    });
    let discourse = replicas("discourse", |name| {
        let channels = Arc::clone(&channels);
        Run::Task(Arc::new(move |listener, shutdown| {
            Box::pin(discourse::serve(listener, name.clone(), Arc::clone(&channels) as _, shutdown))
        }))
    });
    let gateway = gateway(builder, data_dir, &marketplace, &discourse);
    Parts { gateway, marketplace, discourse, items, keep: Box::new(data) }
}

fn gateway(builder: &SystemBuilder, data_dir: DataDir, marketplace: &[Server], discourse: &[Server]) -> Server {
    let addresses = |replicas: &[Server]| replicas.iter().map(|replica| replica.address().into()).collect();
    let settings = gateway::Settings {
        instance: "gateway-1".to_owned(),
        marketplace_replicas: addresses(marketplace),
        discourse_replicas: addresses(discourse),
        jwt_secret: crate::JWT_SECRET.to_owned().into(),
        password_rounds: 1000,
        options: builder.options.clone(),
        stores: Stores::Embedded { data_dir },
    };
    let serve = move |listener, shutdown| Box::pin(gateway::serve(listener, settings.clone(), shutdown)) as _;
    Server::start("gateway-1".to_owned(), Run::Task(Arc::new(serve)))
}

/// Three of them.
pub(crate) fn replicas(service: &str, run: impl Fn(String) -> Run) -> Vec<Server> {
    (1..=3).map(|number| format!("{service}-{number}")).map(|name| Server::start(name.clone(), run(name))).collect()
}

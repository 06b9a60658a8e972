//! How a gateway starts and stops.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use runtime::tasks::{Board, Task, Tasks};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use upstream::Balancer;

use crate::{
    app::{App, Settings},
    rate_limit::SWEEP,
    routes,
};

/// The first checks of the replicas, at most: as long as one that is silent has for an answer.
const FIRST_CHECKS: Duration = Duration::from_secs(1);

/// Serves a gateway until `shutdown`, then finishes the requests in flight.
pub async fn serve(listener: TcpListener, settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    // The health checks of the replicas go on until the last request is answered.
    let drained = CancellationToken::new();
    let _drop_guard = drained.clone().drop_guard();
    let limits = settings.options.limits();
    let app = App::new(settings, &shutdown, &drained)?;
    let mut background = Tasks::new(&Board::new(&app.metrics), &app.metrics, &drained);
    let (callers, guessers) = (Task::every("forget_callers", SWEEP), Task::every("forget_guessers", SWEEP));
    background.start(callers, Arc::clone(&app.call_limit), |limit| async move { limit.sweep() });
    background.start(guessers, Arc::clone(&app.guesses), |guesses| async move { guesses.sweep() });
    let cache = app.cache.backend();
    tracing::info!(instance = app.instance, address = %listener.local_addr()?, cache, "listening");
    // Who comes before waits in the listener's queue: the first answer of /status is one that somebody has looked for.
    let _ = tokio::time::timeout(FIRST_CHECKS, join_all(app.balancers.iter().map(Balancer::checked))).await;
    runtime::server::serve(listener, routes::router(&app), app.metrics.clone(), limits, shutdown).await;
    drained.cancel();
    app.tasks.close();
    tokio::join!(app.tasks.wait(), background.ended());
    Ok(())
}

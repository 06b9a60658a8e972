//! How a gateway starts and stops.

use std::sync::Arc;

use runtime::tasks::{Board, Task, Tasks};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Settings},
    rate_limit::SWEEP,
    routes,
};

/// Serves a gateway until `shutdown`, then finishes the requests in flight.
pub async fn serve(listener: TcpListener, settings: Settings, shutdown: CancellationToken) -> anyhow::Result<()> {
    // The health checks of the replicas go on until the last request is answered.
    let drained = CancellationToken::new();
    let _drop_guard = drained.clone().drop_guard();
    let limits = settings.options.limits();
    let app = App::new(settings, &drained)?;
    let mut background = Tasks::new(&Board::new(&app.metrics), &app.metrics, &drained);
    let (callers, guessers) = (Task::every("forget_callers", SWEEP), Task::every("forget_guessers", SWEEP));
    background.start(callers, Arc::clone(&app.call_limit), |limit| async move { limit.sweep() });
    background.start(guessers, Arc::clone(&app.guesses), |guesses| async move { guesses.sweep() });
    let cache = app.cache.backend();
    tracing::info!(instance = app.instance, address = %listener.local_addr()?, cache, "listening");
    runtime::server::serve(listener, routes::router(&app), app.metrics.clone(), limits, shutdown).await;
    drained.cancel();
    app.tasks.close();
    tokio::join!(app.tasks.wait(), background.ended());
    Ok(())
}

//! What takes the events of a service to the log, beside its calls: in the replica that has the service's lease.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use opentelemetry::metrics::Meter;
use runtime::tasks::{Task, Tasks};
use storage::{
    lease::Lease,
    outbox::{Outbox, Pending},
    sweep,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    log::SharedLog,
    relay::{self, Relay},
};

/// How often it is looked how much there is to be sent.
const MEASURE: Duration = Duration::from_secs(5);

/// Where the events of a service go. Clones are one.
#[derive(Clone)]
pub struct Publisher {
    pub log: SharedLog,
    /// How long what was sent stays in the outbox.
    pub keep: Duration,
}

impl Publisher {
    /// Starts the tasks that empty `outbox` into the log, measure it for `meter`, and forget what was sent, until
    /// `shutdown`. To be called in a tokio runtime.
    pub fn start(
        &self,
        outbox: Arc<dyn Outbox>,
        lease: &Lease,
        tasks: &mut Tasks,
        meter: &Meter,
        shutdown: &CancellationToken,
    ) {
        let relay = Relay::new(Arc::clone(&outbox), Arc::clone(&self.log), lease.clone(), shutdown.clone());
        // Between two runs that end well nobody waits.
        let again = Arc::new(Notify::new());
        let task = Task::every("relay", relay::LOOK).only_while(lease.gate()).woken_by(Arc::clone(&again));
        tasks.start(task.degrades("events are not told"), Arc::new(relay), move |relay| {
            let again = Arc::clone(&again);
            async move { relay.run().await.inspect(|_| again.notify_one()) }
        });

        let backlog = Backlog::default();
        backlog.report(meter, lease);
        let task = Task::every("measure_outbox", MEASURE).only_while(lease.gate());
        tasks.start(task, (backlog, Arc::clone(&outbox)), |(backlog, outbox)| async move {
            let pending = outbox.pending().await?;
            backlog.set(pending);
            Ok::<_, storage::Error>(Measured(pending))
        });

        let keep = self.keep;
        let task = Task::every("forget_events", sweep::INTERVAL).only_while(lease.gate());
        tasks.start(task, outbox, move |outbox| async move { sweep(|| outbox.forget(keep)).await });
    }
}

/// What is still to be sent, as it was last looked.
#[derive(Clone, Default)]
struct Backlog(Arc<Mutex<Option<Pending>>>);

impl Backlog {
    /// Tells of it while the lease is this replica's: of all replicas one knows.
    fn report(&self, meter: &Meter, lease: &Lease) {
        let (backlog, gate) = (self.clone(), lease.gate());
        meter
            .u64_observable_gauge("outbox_pending")
            .with_description("Events that are still to be sent to the log")
            .with_callback(move |observer| {
                if let Some(pending) = backlog.get().filter(|_| gate()) {
                    observer.observe(pending.count, &[]);
                }
            })
            .build();
        let (backlog, gate) = (self.clone(), lease.gate());
        meter
            .f64_observable_gauge("outbox_oldest_seconds")
            .with_description("How long the oldest event waits to be sent to the log")
            .with_callback(move |observer| {
                if let Some(pending) = backlog.get().filter(|_| gate()) {
                    observer.observe(pending.oldest.as_secs_f64(), &[]);
                }
            })
            .build();
    }

    fn get(&self) -> Option<Pending> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, pending: Pending) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
    }
}

struct Measured(Pending);

impl From<Measured> for Cow<'static, str> {
    fn from(Measured(Pending { count, .. }): Measured) -> Self {
        format!("{count} to be sent").into()
    }
}

//! One signal stops a process: Ctrl-C or SIGTERM.

use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGINT or SIGTERM. A second signal ends the process at once.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};

    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn({
        let token = token.clone();
        async move {
            for second in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if second {
                    std::process::exit(130);
                }
                tracing::info!("stopping: requests in flight are finished first");
                token.cancel();
            }
        }
    });
    Ok(token)
}

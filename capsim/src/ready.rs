//! The ready line for programs: a file that says where everything is, from when everything serves until it stops.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use client::Client;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{System, are_well};

/// Between two looks at `/status`.
const INTERVAL: Duration = Duration::from_millis(20);
/// A gateway of this process that has not answered by then is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts to write the file.
const RETRY: Duration = Duration::from_secs(1);

/// Where everything is.
#[derive(Serialize)]
pub(crate) struct Places {
    pid: u32,
    /// URLs.
    gateway: String,
    web: String,
    /// `host:port` by instance name.
    replicas: BTreeMap<String, SocketAddr>,
}

impl From<&System> for Places {
    fn from(system: &System) -> Self {
        Self {
            pid: std::process::id(),
            gateway: format!("http://{}", system.gateway),
            web: format!("http://{}", system.web),
            replicas: system.replicas.iter().cloned().collect(),
        }
    }
}

/// Takes away what an earlier process has left; an error where the file could never be written.
pub(crate) fn forget(file: &Path) -> anyhow::Result<()> {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    let is_there = directory.is_none_or(Path::is_dir);
    anyhow::ensure!(is_there, "READY_FILE must be in a directory that exists, it is {}", file.display());
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace the ready file {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Writes the file once the gateway finds every replica healthy, whole or not at all; removes it at `shutdown`.
pub(crate) async fn announce(file: PathBuf, places: Places, shutdown: CancellationToken) -> anyhow::Result<()> {
    let replicas: Vec<_> = places.replicas.values().copied().collect();
    let serves = async {
        are_well(&replicas).await;
        serves(&places.gateway).await;
    };
    if shutdown.run_until_cancelled(serves).await.is_none() {
        return Ok(());
    }
    // The system serves with a disk that is full; who waits for this file gets it once there is room.
    while let Err(error) = write(&file, &places) {
        tracing::error!(%error, file = %file.display(), "cannot write the ready file");
        if shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
            return Ok(());
        }
    }
    shutdown.cancelled().await;
    forget(&file)
}

/// Written aside, then renamed: who finds it finds all of it.
fn write(file: &Path, places: &Places) -> io::Result<()> {
    let mut aside = file.as_os_str().to_owned();
    aside.push(format!(".{}", places.pid));
    fs::write(&aside, serde_json::to_vec(places)?)?;
    fs::rename(&aside, file)
}

/// Returns when all is healthy.
async fn serves(gateway: &str) {
    let Ok(client) = Client::new(gateway, PATIENCE) else { return };
    while !client.get_status().await.is_ok_and(|status| status.is_healthy()) {
        tokio::time::sleep(INTERVAL).await;
    }
}

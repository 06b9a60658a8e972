//! Which log a process is told to use.

use std::sync::Arc;

use clap::Args;
use kernel::Secret;
use storage::{DataDir, data_dir};

use crate::{
    embedded::{Embedded, Lease},
    log::SharedLog,
    topology::Topology,
};

/// Where the log is.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// Event log on RabbitMQ, amqp://user:password@host:5672; the embedded one, in the data directory, where it is not set.
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp_url: Option<Secret>,
}

impl Options {
    /// The system's log. `instance` is the name that a broker shows; `data_dir` is asked for only where there is none.
    pub fn open(
        &self,
        instance: &str,
        data_dir: impl FnOnce() -> Result<DataDir, data_dir::Error>,
    ) -> anyhow::Result<SharedLog> {
        let topology = Topology::capsim();
        match self.amqp_url.as_ref().map(Secret::reveal).filter(|url| !url.is_empty()) {
            Some(url) => on_broker(url, instance, topology),
            None => Ok(Arc::new(Embedded::open(&data_dir()?, topology, Lease::default())?)),
        }
    }
}

#[cfg(feature = "rabbitmq")]
fn on_broker(url: &str, instance: &str, topology: Topology) -> anyhow::Result<SharedLog> {
    Ok(Arc::new(crate::rabbitmq::RabbitMq::new(url, instance, topology)?))
}

#[cfg(not(feature = "rabbitmq"))]
fn on_broker(_: &str, _: &str, _: Topology) -> anyhow::Result<SharedLog> {
    anyhow::bail!("AMQP_URL is set, but this program was built without RabbitMQ (feature `rabbitmq`): unset it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_url_says_which_log_and_without_one_it_is_in_the_data_directory() {
        let directory = tempfile::tempdir().expect("directory");
        let open = |url: Option<&str>| {
            let options = Options { amqp_url: url.map(|url| url.to_owned().into()) };
            options.open("orders-1", || DataDir::open(directory.path(), true)).map(|log| log.backend())
        };
        assert_eq!(open(None).expect("opens"), "embedded");
        // As Compose passes on what is not set.
        assert_eq!(open(Some("")).expect("opens"), "embedded");
        assert!(directory.path().join("events.db").exists());
        let broker = open(Some("amqp://localhost:1"));
        if cfg!(feature = "rabbitmq") {
            assert_eq!(broker.expect("an URL"), "rabbitmq");
        }
        assert!(open(Some("http://localhost")).expect_err("no URL").to_string().starts_with("AMQP_URL"));
    }
}

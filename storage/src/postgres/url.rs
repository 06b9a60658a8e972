//! `DATABASE_URL`: what it may be, and what every connection is told beside it.

use std::time::Duration;

use anyhow::ensure;
use tokio_postgres::{Config, config::SslMode};

/// How long an idle connection's other end may be silent before it is asked whether it is there, and asked again.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(1), 3);
/// How long what was sent may stay without an acknowledgement, before the connection counts as broken.
const TCP_TIMEOUT: Duration = Duration::from_secs(4);
/// The server gives up a statement after this, milliseconds.
const STATEMENT_TIMEOUT: u32 = 4000;
/// And a transaction whose client says nothing for so long, milliseconds: what it has locked others wait for.
const IDLE_IN_TRANSACTION: u32 = 5000;

/// Reads a database's URL; what the URL says itself goes before our defaults. Services that share a database have a
/// schema each.
///
/// No error repeats any of the URL, nor what the parser says about it: there may be a password in it.
pub(super) fn parse(url: &str, service: &str, schema: &str) -> anyhow::Result<Config> {
    let is_url = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let config = is_url.then(|| url.parse::<Config>().ok()).flatten();
    let complete = config.filter(|config| !config.get_hosts().is_empty() && config.get_dbname().is_some());
    let Some(mut config) = complete else {
        anyhow::bail!("DATABASE_URL must be postgres://user:password@host:5432/database");
    };
    ensure!(
        config.get_ssl_mode() != SslMode::Require,
        "DATABASE_URL must not ask for sslmode=require: there is no TLS"
    );
    let ours = format!(
        "-c statement_timeout={STATEMENT_TIMEOUT} -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION} \
         -c search_path={schema}"
    );
    // The last one counts.
    let options = config.get_options().map_or_else(|| ours.clone(), |theirs| format!("{ours} {theirs}"));
    config.options(options).tcp_user_timeout(TCP_TIMEOUT);
    let (idle, interval, retries) = KEEPALIVE;
    config.keepalives_idle(idle).keepalives_interval(interval).keepalives_retries(retries);
    if config.get_application_name().is_none() {
        config.application_name(format!("capsim-{service}"));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_names_its_variable_and_never_shows_the_password() {
        for bad in [
            "",
            "sqlite://hunter2",
            "host=localhost user=postgres password=hunter2",
            "postgres://postgres:hunter2@localhost",
            "postgres://postgres:hunter2@localhost:port/discourse",
            "postgres://localhost/discourse?hunter2=1",
            "postgres:///hunter2",
            "postgres://postgres:hunter2@localhost/discourse?sslmode=require",
        ] {
            let error = format!("{:?}", parse(bad, "accounts", "accounts").expect_err(bad));
            assert!(error.contains("DATABASE_URL must"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_may_say_more() {
        for good in ["postgres://ada:pass%40word@db:6432/discourse", "postgresql:///discourse?host=/run/postgresql"] {
            let config = parse(good, "accounts", "accounts").expect("good");
            assert_eq!(
                config.get_options(),
                Some("-c statement_timeout=4000 -c idle_in_transaction_session_timeout=5000 -c search_path=accounts")
            );
        }
        let config =
            parse("postgres://db/discourse?options=-c%20statement_timeout%3D9&application_name=x", "orders", "orders")
                .expect("good");
        assert_eq!(
            config.get_options(),
            Some(
                "-c statement_timeout=4000 -c idle_in_transaction_session_timeout=5000 -c search_path=orders \
                 -c statement_timeout=9"
            )
        );
        assert_eq!(config.get_application_name(), Some("x"));
    }
}

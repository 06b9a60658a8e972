//! What one replica is told by flags and environment, parsed once in `main`.

use std::path::PathBuf;

use clap::Parser;

/// A replica of the discourse service: channels and posts over gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "discourse", version)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    pub host: String,

    /// Port for gRPC, and for /status and /metrics over HTTP/1.1; 0 is any free one.
    #[arg(long, env = "PORT", default_value_t = 4001)]
    pub port: u16,

    /// Name of this replica in /status and logs.
    #[arg(long, env = "INSTANCE_ID", default_value = "discourse-1")]
    pub instance_id: String,

    /// Directory of the embedded store; made where it does not exist.
    #[arg(long, env = "DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// What is logged, such as `info` or `info,discourse=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub rust_log: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_value_names_its_variable() {
        let error = Config::try_parse_from(["discourse", "--port=70000"]).expect_err("refused").to_string();
        assert!(error.contains("PORT") && error.contains("0..=65535"), "{error}");
    }
}

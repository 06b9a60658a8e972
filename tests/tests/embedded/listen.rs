//! Who reaches a process: only this machine, unless it is told otherwise.
//!
//! 127.0.0.2 is this machine as well, but not where a process listens that was told 127.0.0.1.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use lab::catalogue::{GATEWAY, SERVICES, Service};
use serde_json::Value;
use tests::binary;

use crate::process::free_ports;

/// Ended with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(program: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(binary(program));
    command.env_clear().env("DATA_DIR", data_dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether anybody but the one address of loopback reaches it.
fn is_open(port: u16) -> bool {
    TcpStream::connect(("127.0.0.2", port)).is_ok()
}

/// Starts `capsim` with these arguments, and tells of each port whether it is open to others.
fn capsim(arguments: &[&str]) -> BTreeMap<String, bool> {
    let data = tempfile::tempdir().unwrap();
    let mut process = Process(command("capsim", data.path()).args(free_ports(2)).args(arguments).spawn().unwrap());
    let guide = BufReader::new(process.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut open = BTreeMap::new();
    for line in guide.take_while(|line| !line.contains("Try it")) {
        if let Some((name, address)) = line.split_once("127.0.0.1:") {
            let port: String = address.chars().take_while(char::is_ascii_digit).collect();
            let name = name.trim().trim_end_matches("http://").trim_end();
            open.insert(name.to_owned(), is_open(port.parse().unwrap()));
        }
    }
    open
}

/// Starts a service alone, and tells whether its port is open to others.
fn standalone(program: &str, host: Option<&str>) -> bool {
    let data = tempfile::tempdir().unwrap();
    let mut command = command(program, data.path());
    command.env("JWT_KEY", tests::JWT_KEY.as_str()).env("JWKS", tests::jwks());
    command.arg("--port=0").envs(host.map(|host| ("HOST", host)));
    let mut process = Process(command.spawn().unwrap());
    let log = BufReader::new(process.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut addresses = log.filter_map(|line| {
        let line: Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().map(|address| address.parse::<SocketAddr>().unwrap())
    });
    is_open(addresses.next().expect("it says where it listens").port())
}

#[test]
fn the_launcher_opens_what_it_is_told_to_and_nothing_else() {
    let expected = |edge_is_open, replicas_are_open| {
        let edge = ["REST API", "Swagger UI", "Web UI"].map(|name| (name.to_owned(), edge_is_open));
        let replicas = SERVICES.iter().flat_map(|service| service.instances().take(2));
        edge.into_iter().chain(replicas.map(|name| (name, replicas_are_open))).collect()
    };
    assert_eq!(capsim(&[]), expected(false, false));
    assert_eq!(capsim(&["--host=0.0.0.0"]), expected(true, false), "a classroom sees the UI, not the replicas");
    assert_eq!(capsim(&["--replica-host=0.0.0.0"]), expected(false, true));
}

#[test]
fn a_process_of_its_own_is_open_to_others_only_where_it_is_told_so() {
    for program in SERVICES.iter().map(Service::name).chain([GATEWAY.name]) {
        assert!(!standalone(program, None), "{program}");
        assert!(standalone(program, Some("0.0.0.0")), "{program}");
    }
}

//! `capsim` as a process that can be told anything, and killed.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use lab::catalogue::{REPLICAS, SERVICES};
use tests::binary;

/// Flags of `capsim`: any free ports, for so many replicas of each service.
pub(crate) fn free_ports(replicas: usize) -> Vec<String> {
    let ports = vec!["0"; replicas].join(",");
    let services = SERVICES.iter().map(|service| format!("--{}={ports}", service.ports_flag()));
    ["--gateway-port=0", "--web-port=0"].map(str::to_owned).into_iter().chain(services).collect()
}

/// Killed with the test.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) gateway: SocketAddr,
}

impl Process {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::run(&mut Command::new(binary("capsim")), data_dir)
    }

    /// Started by a command that may have arguments already.
    pub(crate) fn run(command: &mut Command, data_dir: &Path) -> Self {
        let mut child = command
            .arg("--data-dir")
            .arg(data_dir)
            .args(free_ports(REPLICAS))
            .args(["--rate-limit=0", "--auth-rate-limit=0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let guide = BufReader::new(child.stdout.take().unwrap());
        let line = guide.lines().map(Result::unwrap).find(|line| line.contains("/docs")).unwrap();
        let (_, rest) = line.split_once("http://").unwrap();
        Self { gateway: rest.trim_end_matches("/docs").parse().unwrap(), child }
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! One server that can be stopped, killed, frozen and started again on the same port.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use client::{Client, body::Status};
use tokio::{net::TcpSocket, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Serve;

/// What does not answer within this time is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a server runs.
#[derive(Clone)]
pub enum Run {
    /// As a task of this process.
    Task(Serve),
    /// As a process of its own.
    Process(Program),
}

/// A program of ours with its settings.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    /// All of its environment but `HOST`, `INSTANCE_ID` and the port.
    pub environment: Vec<(String, String)>,
    /// The variable with its port.
    pub port_variable: &'static str,
    /// A file that gets what it prints.
    pub log: PathBuf,
}

enum Running {
    Task(JoinHandle<anyhow::Result<()>>, CancellationToken),
    Process(Child),
}

/// One server; dropping it ends it at once.
pub struct Server {
    name: String,
    address: SocketAddr,
    run: Run,
    /// Bound, never listening: keeps the port for us while the server is dead.
    _reservation: TcpSocket,
    running: Option<Running>,
}

impl Server {
    /// Starts a server of this name on a free port.
    pub fn start(name: String, run: Run) -> Self {
        let (address, reservation) = reserve();
        let mut server = Self { name, address, run, _reservation: reservation, running: None };
        server.revive();
        server
    }

    /// Another one just like it, beside it.
    pub fn twin(&self, name: &str) -> Self {
        Self::start(name.to_owned(), self.run.clone())
    }

    /// The instance's name, such as `marketplace-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as `kill -9` does: every connection is closed at once, in the middle of whatever is going on.
    pub async fn kill(&mut self) {
        match self.running.take() {
            Some(Running::Task(task, _)) => {
                task.abort();
                let _ = task.await;
            }
            Some(Running::Process(mut child)) => {
                child.kill().unwrap();
                tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
            }
            None => {}
        }
    }

    /// Asks it to stop, and waits until it has finished what it was doing.
    pub async fn stop(&mut self) {
        match &mut self.running {
            Some(Running::Task(task, shutdown)) => {
                shutdown.cancel();
                task.await.unwrap().unwrap();
            }
            Some(Running::Process(child)) => {
                signal("TERM", child);
                // Polled, so that whoever gives up waiting still has the process to kill.
                let ended = loop {
                    if let Some(ended) = child.try_wait().unwrap() {
                        break ended;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                };
                assert!(ended.success(), "{}: {ended}", self.name);
            }
            None => {}
        }
        self.running = None;
    }

    /// Stops a process in its tracks: its connections stay, and nothing answers.
    pub fn freeze(&self) {
        signal("STOP", self.child());
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) {
        signal("CONT", self.child());
    }

    fn child(&self) -> &Child {
        match &self.running {
            Some(Running::Process(child)) => child,
            _ => panic!("{} is no process that runs", self.name),
        }
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`].
    pub fn revive(&mut self) {
        assert!(self.running.is_none(), "{} is alive", self.name);
        self.running = Some(match &self.run {
            Run::Task(serve) => {
                let socket = reusable();
                socket.bind(self.address).unwrap();
                let shutdown = CancellationToken::new();
                let served = serve(socket.listen(1024).unwrap(), self.name.clone(), shutdown.clone());
                Running::Task(tokio::spawn(served), shutdown)
            }
            Run::Process(program) => Running::Process(program.spawn(&self.name, self.address)),
        });
    }

    /// Whether it has run since it was last started.
    pub fn is_running(&mut self) -> bool {
        match &mut self.running {
            Some(Running::Task(task, _)) => !task.is_finished(),
            Some(Running::Process(child)) => child.try_wait().unwrap().is_none(),
            None => false,
        }
    }

    /// Whether it says itself, at `/status`, that it can do its work.
    pub async fn is_ready(&self) -> bool {
        let client = Client::new(&format!("http://{}", self.address), PATIENCE).unwrap();
        client.get::<Status>("/status").await.is_ok()
    }

    /// What a process has printed since it was first started.
    pub fn log(&self) -> String {
        match &self.run {
            Run::Task(_) => String::new(),
            Run::Process(program) => fs::read_to_string(&program.log).unwrap_or_default(),
        }
    }
}

impl Program {
    fn spawn(&self, name: &str, address: SocketAddr) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(&self.path)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("HOST", address.ip().to_string())
            .env(self.port_variable, address.port().to_string())
            .env("INSTANCE_ID", name)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        child.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.running.take() {
            Some(Running::Task(task, _)) => task.abort(),
            Some(Running::Process(mut child)) => {
                let _ = child.kill();
                let _ = child.wait();
                if std::thread::panicking() {
                    eprintln!("--- {}\n{}", self.name, self.log());
                }
            }
            None => {}
        }
    }
}

/// A program of ours as it was built beside the one that runs.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    // A test is in `deps`, one directory further down.
    let path = own.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file());
    path.unwrap_or_else(|| panic!("{name} is missing: `make test` builds it (cargo build --workspace --bins)"))
}

/// Sends a signal such as `TERM`.
pub(crate) fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success(), "kill -{name}: {sent}");
}

/// An address that is ours as long as the socket lives: bound, never listening.
pub(crate) fn reserve() -> (SocketAddr, TcpSocket) {
    let reservation = reusable();
    reservation.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (reservation.local_addr().unwrap(), reservation)
}

fn reusable() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket
}

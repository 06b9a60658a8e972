//! A gateway or a replica that can be killed and started again on the same port.

use std::{
    fs::File,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// How a server runs.
#[derive(Clone)]
pub(crate) enum Run {
    /// As a task of the test's own process.
    Task(Arc<dyn Fn(TcpListener, CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>),
    /// As a process of its own.
    Process { program: PathBuf, environment: Vec<(&'static str, String)>, log: PathBuf },
}

enum Running {
    Task(JoinHandle<anyhow::Result<()>>, CancellationToken),
    Process(Child),
}

/// One server of a system under test.
pub struct Server {
    name: String,
    address: SocketAddr,
    run: Run,
    /// Bound, never listening: keeps the port for us while the server is dead.
    _reservation: TcpSocket,
    running: Option<Running>,
}

impl Server {
    pub(crate) fn start(name: String, run: Run) -> Self {
        let (address, reservation) = reserve();
        let mut server = Self { name, address, run, _reservation: reservation, running: None };
        server.revive();
        server
    }

    /// Another one just like it, beside it.
    pub fn twin(&self, name: &str) -> Self {
        Self::start(name.to_owned(), self.run.clone())
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
                child.wait().unwrap();
            }
            None => {}
        }
    }

    /// Asks it to stop, and waits until it has finished what it was doing.
    pub async fn stop(&mut self) {
        match self.running.take() {
            Some(Running::Task(task, shutdown)) => {
                shutdown.cancel();
                task.await.unwrap().unwrap();
            }
            Some(Running::Process(mut child)) => {
                signal("TERM", &child);
                let ended = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
                assert!(ended.success(), "{}: {ended}", self.name);
            }
            None => {}
        }
    }

    /// Starts it again after [`Self::kill`].
    pub fn revive(&mut self) {
        assert!(self.running.is_none(), "{} is alive", self.name);
        self.running = Some(match &self.run {
            Run::Task(serve) => {
                let socket = reusable();
                socket.bind(self.address).unwrap();
                let shutdown = CancellationToken::new();
                let served = serve(socket.listen(1024).unwrap(), shutdown.clone());
                Running::Task(tokio::spawn(served), shutdown)
            }
            Run::Process { program, environment, log } => {
                let log = File::options().create(true).append(true).open(log).unwrap();
                let child = Command::new(program)
                    .env_clear()
                    .envs(environment.iter().map(|(name, value)| (name, value)))
                    .env("HOST", self.address.ip().to_string())
                    .env("PORT", self.address.port().to_string())
                    .env("INSTANCE_ID", &self.name)
                    .stdin(Stdio::null())
                    .stdout(log.try_clone().unwrap())
                    .stderr(log)
                    .spawn();
                Running::Process(child.unwrap_or_else(|error| panic!("{}: {error}", program.display())))
            }
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
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.running.take() {
            Some(Running::Task(task, _)) => task.abort(),
            Some(Running::Process(mut child)) => {
                let _ = child.kill();
                let _ = child.wait();
                if let (true, Run::Process { log, .. }) = (std::thread::panicking(), &self.run) {
                    eprintln!("--- {}\n{}", self.name, std::fs::read_to_string(log).unwrap_or_default());
                }
            }
            None => {}
        }
    }
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

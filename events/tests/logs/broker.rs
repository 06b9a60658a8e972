//! A broker of a test's own, to be broken.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

/// For it to be installed, to recover and to listen.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Broker {
    directory: TempDir,
    address: SocketAddr,
    /// Bound, never listening: keeps the port for it while it is dead.
    _reservation: TcpSocket,
    child: Option<Child>,
}

impl Broker {
    /// One that is not there yet, but will be at its address.
    pub(crate) fn absent() -> Self {
        let reservation = TcpSocket::new_v4().expect("a socket");
        reservation.set_reuseaddr(true).expect("reusable");
        reservation.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = reservation.local_addr().expect("an address");
        let directory = tempfile::tempdir().expect("directory");
        Self { directory, address, _reservation: reservation, child: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@{}", self.address)
    }

    /// Starts it, and returns when it accepts connections.
    pub(crate) async fn start(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/with-backends");
        fs::create_dir_all(self.data()).expect("a directory");
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).expect("a log");
        let child = Command::new(script)
            .args(["--serve", "rabbitmq"])
            .arg(self.data())
            .arg(self.address.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("the script runs"));
        let listens = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, listens).await.expect("the broker listens");
    }

    /// Has it write down which streams and queues there are. RabbitMQ 3.10 does so 3 seconds late: a crash before that makes
    /// a stream that is new unreachable for good.
    pub(crate) async fn settle(&self) {
        self.control(&["eval", "[dets:sync(Table) || Table <- dets:all()]."]).await;
    }

    /// Ends it as a crash would.
    pub(crate) async fn crash(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("killed");
        tokio::task::spawn_blocking(move || child.wait()).await.expect("joined").expect("ended");
    }

    /// Stops it in its tracks: connections stay, and nothing answers.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill").success());
    }

    /// Tells it something as its operator.
    pub(crate) async fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(self.data().join("rabbitmqctl"));
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// Takes from all streams what came last, as the crash of a machine does: they do not sync. While it is dead.
    pub(crate) fn lose_the_end_of_streams(&self) {
        let mut lost = 0;
        for index in find(&self.data().join("mnesia"), "index").into_iter().filter(|path| is_of_a_stream(path)) {
            lost += lose_the_end(&index);
        }
        assert!(lost > 0, "no stream has anything");
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

/// Cuts a segment of a stream, with its index, at the beginning of a chunk; how many chunks it loses. As RabbitMQ 3.10 has
/// them: an index is a head of 8 bytes and 29 for each chunk, of which 4 at the 24th say where it begins in the segment.
fn lose_the_end(index: &Path) -> usize {
    const HEAD: usize = 8;
    const CHUNK: usize = 29;
    let bytes = fs::read(index).expect("an index");
    let chunks = (bytes.len() - HEAD) / CHUNK;
    let kept = chunks * 2 / 3;
    let (end, place) = (HEAD + kept * CHUNK, HEAD + kept * CHUNK + 24);
    let Some(place) = bytes.get(place..place + 4) else { return 0 };
    let place = u32::from_be_bytes(place.try_into().expect("4 bytes"));
    cut(index, end as u64);
    cut(&index.with_extension("segment"), place.into());
    chunks - kept
}

fn cut(path: &Path, length: u64) {
    File::options().write(true).open(path).expect("a file").set_len(length).expect("cut");
}

fn is_of_a_stream(path: &Path) -> bool {
    path.components().any(|component| component.as_os_str() == "stream")
}

fn find(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(find(&path, extension));
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    found
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read(self.directory.path().join("log")).unwrap_or_default();
            eprintln!("--- broker\n{}", String::from_utf8_lossy(&log));
        }
    }
}

//! The directory that embedded stores live in: private, and one process' own unless it is shared on purpose.

use std::{
    cell::OnceCell,
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use clap::{Args, builder::BoolishValueParser};

/// Has the ids of the processes that use the directory, a line each, and their locks: whatever ends a process, its lock
/// ends with it.
const LOCK: &str = "owner.lock";
/// What the gateway kept users in, before there was an accounts service.
const OLD: &str = "gateway.db";
/// What groups and others may do.
const OTHERS: u32 = 0o077;
/// Where everybody may make files and nobody remove others', such as `/tmp`.
const STICKY: u32 = 0o1000;
/// Processes that share may hold the lock alone for the moment of their start; another one that starts then waits so long.
const PATIENCE: Duration = Duration::from_millis(500);

/// Where the embedded stores are.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct Options {
    /// Directory of the embedded stores, keys included; made where it is not there, and its owner's only.
    #[arg(long, env = "DATA_DIR", default_value = "./data", global = true)]
    pub data_dir: PathBuf,

    /// Use the directory together with other processes that are told so too, as separate replicas on one machine do.
    ///
    /// Stores are safe to share. What a gateway has cached in memory is not aware of what other gateways write: it may be
    /// CACHE_TTL old.
    #[arg(long, env = "SHARED_DATA", value_parser = BoolishValueParser::new())]
    pub shared_data: bool,
}

/// A directory that is ours, alone or with others who share it, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct DataDir(Arc<Held>);

#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Closing it gives the lock away.
    _lock: File,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("DATA_DIR: {path} is used by {by}; stop that first, or start both with --shared-data")]
    InUse { path: PathBuf, by: String },
    #[error(
        "DATA_DIR: {path} is of a version that kept users in {OLD}, which this one cannot read: use that version, or start \
         anew with another --data-dir; nothing in {path} was touched"
    )]
    Old { path: PathBuf },
    #[error("DATA_DIR: cannot use {path}")]
    Unusable { path: PathBuf, source: io::Error },
}

impl DataDir {
    /// Makes the directory where it is not there, makes it private, and takes it: for this process alone, or `shared`
    /// with others that do so too. May take half a second where somebody else has it. One of before is left as it is.
    pub fn open(path: &Path, shared: bool) -> Result<Self, Error> {
        let unusable = |source| Error::Unusable { path: path.to_owned(), source };
        if path.join(OLD).exists() {
            return Err(Error::Old { path: path.to_owned() });
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let mut lock = open_lock(&path.join(LOCK)).map_err(unusable)?;
        if !take(&mut lock, shared).map_err(unusable)? {
            return Err(Error::InUse { path: path.to_owned(), by: owner(&path.join(LOCK)) });
        }
        make_directory_private(path).map_err(unusable)?;
        Ok(Self(Arc::new(Held { path: path.to_owned(), _lock: lock })))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl Options {
    /// Takes the directory.
    pub fn open(&self) -> Result<DataDir, Error> {
        DataDir::open(&self.data_dir, self.shared_data)
    }

    /// Takes the directory where it is asked for, once for all who ask.
    pub fn when_asked(&self) -> impl Fn() -> Result<DataDir, Error> {
        let taken = OnceCell::new();
        move || match taken.get() {
            Some(directory) => Ok(DataDir::clone(directory)),
            None => {
                let directory = self.open()?;
                Ok(taken.get_or_init(|| directory).clone())
            }
        }
    }
}

/// Takes away what groups and others may do with a file.
pub fn make_private(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) }
}

fn make_directory_private(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.permissions().mode() & STICKY != 0 {
        tracing::warn!(path = %path.display(), "the data directory belongs to everybody: only the files are private");
        return Ok(());
    }
    // It may be somebody else's who has let us in, as a volume's is: no reason to stop.
    make_private(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            tracing::warn!(path = %path.display(), "the data directory is not ours to make private");
            Ok(())
        }
        _ => Err(error),
    })
}

fn open_lock(path: &Path) -> io::Result<File> {
    let lock = File::options().read(true).append(true).create(true).mode(0o600).open(path)?;
    make_private(path)?;
    Ok(lock)
}

/// Whether the lock is ours now. Who finds nobody there writes who it is; who joins adds itself.
fn take(lock: &mut File, shared: bool) -> io::Result<bool> {
    let patience = Instant::now() + PATIENCE;
    loop {
        if locked(lock.try_lock())? {
            lock.set_len(0)?;
            writeln!(lock, "{}", process::id())?;
            // From alone to together: somebody else may come in between.
            return if shared { locked(lock.try_lock_shared()) } else { Ok(true) };
        }
        if shared && locked(lock.try_lock_shared())? {
            writeln!(lock, "{}", process::id())?;
            return Ok(true);
        }
        if Instant::now() > patience {
            return Ok(false);
        }
        sleep(Duration::from_millis(10));
    }
}

fn locked(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The first of those who wrote themselves down that lives.
fn owner(lock: &Path) -> String {
    let mut text = String::new();
    // Only to tell a person: what cannot be read is left out.
    let _ = File::open(lock).and_then(|mut lock| lock.read_to_string(&mut text));
    let lives = |pid: &&str| !Path::new("/proc/self").exists() || Path::new("/proc").join(pid).exists();
    text.lines().find(lives).map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn a_directory_is_one_owners_or_all_share_it() {
        let directory = tempfile::tempdir().expect("directory");
        let open = |shared| DataDir::open(directory.path(), shared);
        let in_use = |refused: Result<DataDir, Error>| {
            let error = refused.expect_err("in use").to_string();
            assert!(
                error.contains(&format!("process {}", process::id())) && error.contains("--shared-data"),
                "{error}"
            );
        };
        let alone = open(false).expect("free");
        in_use(open(false));
        in_use(open(true));
        let clone = alone.clone();
        drop(alone);
        in_use(open(false));
        drop(clone);
        let (one, other) = (open(true).expect("free"), open(true).expect("shared"));
        in_use(open(false));
        drop(one);
        in_use(open(false));
        drop(other);
        open(false).expect("free again");
    }

    #[test]
    fn many_that_share_may_start_at_once() {
        let directory = tempfile::tempdir().expect("directory");
        std::thread::scope(|scope| {
            let open = || DataDir::open(directory.path(), true).map(drop);
            let started: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            for start in started {
                start.join().expect("no panic").expect("shared");
            }
        });
    }

    #[test]
    fn old_directories_and_locks_become_private_and_those_of_all_stay_theirs() {
        let parent = tempfile::tempdir().expect("directory");
        let make = |name: &str, of: u32| {
            let path = parent.path().join(name);
            fs::create_dir(&path).expect("made");
            fs::set_permissions(&path, Permissions::from_mode(of)).expect("set");
            fs::write(path.join(LOCK), "1\n").expect("written");
            fs::set_permissions(path.join(LOCK), Permissions::from_mode(0o644)).expect("set");
            path
        };
        let (old, everybodys, new) = (make("old", 0o755), make("tmp", 0o1777), parent.path().join("a/b"));
        for (path, expected) in [(&old, 0o700), (&everybodys, 0o1777), (&new, 0o700)] {
            DataDir::open(path, false).expect("opens");
            assert_eq!((mode(path), mode(&path.join(LOCK))), (expected, 0o600), "{}", path.display());
        }
    }

    #[test]
    fn what_can_be_no_data_directory_is_named() {
        // Nobody, not even root, makes files in /proc.
        for path in ["/proc", "/proc/version/data", "/dev/null"] {
            let error = DataDir::open(Path::new(path), false).expect_err("it cannot be");
            assert_eq!(error.to_string(), format!("DATA_DIR: cannot use {path}"));
        }
    }
}

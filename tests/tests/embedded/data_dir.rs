//! Whose a data directory is, and who may read it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use lab::catalogue::SERVICES;
use tests::binary;

use crate::process::Process;

/// What a program that should not start on the directory says.
fn refusal(program: &str, data_dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(binary(program));
    command.env("JWKS", tests::jwks()).arg("--data-dir").arg(data_dir).args(arguments);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{program} starts");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_second_process_is_refused_with_the_firsts_pid_until_that_is_gone() {
    let data = tempfile::tempdir().unwrap();
    let first = Process::start(data.path());
    let pid = format!("process {}", first.child.id());
    for (program, arguments) in [
        ("capsim", ["--gateway-port=0", "--web-port=0"].as_slice()),
        ("capsim", &["--gateway-port=0", "--web-port=0", "--shared-data"]),
        ("accounts", &["--port=0"]),
        ("marketplace", &["--port=0"]),
        ("discourse", &["--port=0", "--shared-data"]),
    ] {
        let error = refusal(program, data.path(), arguments);
        assert!(error.contains(&pid) && error.contains("--shared-data"), "{program} {arguments:?}: {error}");
    }
    first.kill();
    Process::start(data.path());
}

#[test]
fn processes_that_are_told_so_share_a_directory() {
    let data = tempfile::tempdir().unwrap();
    let shared = || Process::run(Command::new(binary("capsim")).env("SHARED_DATA", "true"), data.path());
    let (first, second) = (shared(), shared());
    let error = refusal("capsim", data.path(), &["--gateway-port=0", "--web-port=0"]);
    assert!(error.contains(&format!("process {}", first.child.id())), "{error}");
    first.kill();
    let error = refusal("capsim", data.path(), &["--gateway-port=0", "--web-port=0"]);
    assert!(error.contains(&format!("process {}", second.child.id())), "the first one is gone: {error}");
}

#[test]
fn everything_is_its_owners_only_also_what_was_there_before() {
    let data = tempfile::tempdir().unwrap();
    let modes = || {
        let files = fs::read_dir(data.path()).unwrap().map(Result::unwrap);
        let of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let files: Vec<_> = files.map(|file| (file.file_name(), of(&file.path()))).collect();
        (of(data.path()), files)
    };
    let assert_private = |when: &str| {
        let (directory, files) = modes();
        assert_eq!(directory, 0o700, "{when}");
        assert!(files.len() > 9, "databases, logs, keys and locks: {files:?}");
        assert!(files.iter().all(|(_, mode)| *mode == 0o600), "{when}: {files:?}");
    };
    let process = Process::start(data.path());
    assert_private("new");
    process.kill();
    for file in fs::read_dir(data.path()).unwrap() {
        fs::set_permissions(file.unwrap().path(), Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
    let _process = Process::start(data.path());
    assert_private("old");
}

#[test]
fn a_directory_of_before_is_refused_and_not_touched() {
    let services = SERVICES.iter().map(|service| (service.name(), ["--port=0"].as_slice()));
    for (program, arguments) in services.chain([("capsim", ["--gateway-port=0", "--web-port=0"].as_slice())]) {
        let data = tempfile::tempdir().unwrap();
        fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(data.path().join("gateway.db"), "users").unwrap();
        let error = refusal(program, data.path(), arguments);
        assert!(error.contains("gateway.db") && error.contains("--data-dir"), "{program}: {error}");
        let left: Vec<_> = fs::read_dir(data.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["gateway.db"], "{program}");
        assert_eq!(fs::metadata(data.path()).unwrap().permissions().mode() & 0o777, 0o755, "{program}");
    }
}

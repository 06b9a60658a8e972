//! Secrets that are made at the first start and kept in the data directory, readable to its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use storage::data_dir::{self, DataDir};

/// Reads the file `name` in the data directory, or makes it with what `make` gives.
pub(crate) fn load_or_create(
    data_dir: &DataDir,
    name: &str,
    make: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    make_private(data_dir, name)?;
    let path = data_dir.path().join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = make()?;
            create(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(text)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Takes away what others may do with a file, where it is there.
pub(crate) fn make_private(data_dir: &DataDir, name: &str) -> anyhow::Result<()> {
    let path = data_dir.path().join(name);
    match data_dir::make_private(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot keep {} private", path.display()))
        }
        _ => Ok(()),
    }
}

/// Written aside, then renamed: a crash leaves a whole file or none.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let aside = path.with_extension(std::process::id().to_string());
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(fs::rename(&aside, path)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), false).expect("ours");
        let load = |text: &str| load_or_create(&data_dir, "key", || Ok(text.to_owned())).expect("there");
        let path = directory.path().join("key");
        let mode = || fs::metadata(&path).expect("there").permissions().mode() & 0o777;
        assert_eq!(load("one"), "one");
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert_eq!(load("two"), "one");
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().expect("directory");
        let data_dir = DataDir::open(directory.path(), false).expect("ours");
        fs::create_dir(directory.path().join("key")).expect("made");
        let error = load_or_create(&data_dir, "key", || Ok("x".to_owned())).expect_err("it is a directory");
        assert!(error.to_string().contains("key"), "{error:#}");
    }
}

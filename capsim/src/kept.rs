//! Secrets that are made at the first start and kept in the data directory, readable to its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;

/// Reads the file `name` in the data directory, or makes it with what `make` gives; and whether it was made.
pub(crate) fn load_or_create(
    data_dir: &Path,
    name: &str,
    make: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<(String, bool)> {
    fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let path = data_dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok((text, false)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = make()?;
            create(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            Ok((text, true))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
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
    fn a_directory_that_cannot_be_written_to_is_named() {
        // Nobody, not even root, makes files in /proc.
        for (directory, named) in [("/proc", "/proc/key"), ("/proc/version/data", "/proc/version/data")] {
            let error = load_or_create(Path::new(directory), "key", || Ok("x".to_owned())).expect_err("it cannot be");
            assert!(error.to_string().contains(named), "{error:#}");
        }
    }

    #[test]
    fn it_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().expect("directory");
        let load = |text: &str| load_or_create(directory.path(), "key", || Ok(text.to_owned())).expect("there");
        assert_eq!(load("one"), ("one".to_owned(), true));
        let mode = fs::metadata(directory.path().join("key")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load("two"), ("one".to_owned(), false));
    }
}

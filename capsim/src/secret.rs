//! The key that signs tokens, where none is given: a random one, kept so that tokens outlive a restart.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::Context;
use gateway::config::JwtSecret;
use uuid::Uuid;

/// Reads `jwt_secret` in the data directory, or makes it, readable to its owner only.
pub(crate) fn load_or_create(data_dir: &Path) -> anyhow::Result<JwtSecret> {
    fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let path = data_dir.join("jwt_secret");
    let secret = match fs::read_to_string(&path) {
        Ok(secret) => secret,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(data_dir, &path).with_context(|| format!("cannot write {}", path.display()))?
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let secret = JwtSecret::from(secret.trim().to_owned());
    secret.checked().with_context(|| format!("in {}", path.display()))
}

/// Written aside, then renamed: a crash leaves a whole secret or none.
fn create(data_dir: &Path, path: &Path) -> anyhow::Result<String> {
    // Two UUIDs of version 4 are 244 random bits from the operating system.
    let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let aside = data_dir.join(format!("jwt_secret.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(secret.as_bytes())?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        // Nobody, not even root, makes files in /proc.
        for (directory, named) in [("/proc", "/proc/jwt_secret"), ("/proc/version/data", "/proc/version/data")] {
            let error = load_or_create(Path::new(directory)).expect_err("it cannot be");
            assert!(error.to_string().contains(named), "{error:#}");
        }
    }

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let directory = tempfile::tempdir().expect("directory");
        load_or_create(directory.path()).expect("made");
        let path = directory.path().join("jwt_secret");
        let first = fs::read_to_string(&path).expect("there");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        load_or_create(directory.path()).expect("read");
        assert_eq!(fs::read_to_string(&path).expect("there"), first);
        fs::write(&path, "short").expect("written");
        assert!(load_or_create(directory.path()).is_err());
    }
}

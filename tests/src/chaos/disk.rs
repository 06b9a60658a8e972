//! A disk that can be full: a small file system in memory, which only root may mount.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Holds the data of a run with room to spare.
const SIZE: &str = "size=64m";

/// Mounted until it is dropped.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// None where this process may not mount one.
    pub(super) fn mount(at: &Path) -> Option<Self> {
        let mount = ["-t", "tmpfs", "-o", SIZE, "capsim-chaos"];
        let mounted = Command::new("mount").args(mount).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }

    /// Takes all the room there is.
    pub(super) fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        for chunk in [1 << 20, 1 << 12] {
            while ballast.write_all(&vec![0; chunk]).is_ok() {}
        }
    }

    /// Gives it back.
    pub(super) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

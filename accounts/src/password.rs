//! Passwords: PBKDF2-HMAC-SHA256 as PHC strings, off the async threads, bounded in number.

use std::sync::Arc;

use kernel::Error;
use password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use pbkdf2::{Algorithm, Params, Pbkdf2};
use proto::errors::OVERLOADED;
use tokio::sync::Semaphore;

/// Rounds of a new hash, as OWASP's Password Storage Cheat Sheet asks for PBKDF2-HMAC-SHA256.
pub const ROUNDS: u32 = 600_000;

/// Hashes that wait for a processor, for each that runs: about 4 seconds' worth. More are refused.
const QUEUE: usize = 64;

fn overloaded() -> Error {
    Error::new(OVERLOADED, "too many passwords to check at once, try again")
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::internal(error.to_string())
}

/// Hashes and verifies passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    pbkdf2: Pbkdf2,
    /// What an unknown user's password is compared with, so that it takes as long as a known one's.
    decoy: Arc<str>,
    /// Held while waiting or running.
    queue: Arc<Semaphore>,
    /// Held while running.
    processors: Arc<Semaphore>,
}

impl Passwords {
    /// `rounds` is [`ROUNDS`] but in tests.
    pub fn new(rounds: u32) -> anyhow::Result<Self> {
        let params = Params::new(rounds).map_err(|e| anyhow::anyhow!("PBKDF2 rounds: {e}"))?;
        let pbkdf2 = Pbkdf2::new(Algorithm::Pbkdf2Sha256, params);
        let decoy = pbkdf2.hash_password(b"decoy").map_err(|e| anyhow::anyhow!("PBKDF2: {e}"))?.to_string().into();
        // Half of the cores: the others go on answering while many log in at once.
        let processors = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        Ok(Self {
            pbkdf2,
            decoy,
            queue: Arc::new(Semaphore::new(processors * (QUEUE + 1))),
            processors: Arc::new(Semaphore::new(processors)),
        })
    }

    /// The PHC string of a password, with a random salt; 503 `overloaded` where too many wait already.
    pub async fn hash(&self, password: &str) -> Result<String, Error> {
        let (pbkdf2, password) = (self.pbkdf2, password.to_owned());
        self.run(move || pbkdf2.hash_password(password.as_bytes()).map(|hash| hash.to_string()))
            .await?
            .map_err(internal)
    }

    /// Whether `password` is the one of `hash` (a PHC string, which says its own rounds). Without a hash it takes as
    /// long, and is not.
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.as_ref().to_owned());
        let (pbkdf2, password) = (self.pbkdf2, password.to_owned());
        let verified = move || match PasswordHash::new(&hash) {
            Ok(hash) => match pbkdf2.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(error.to_string()),
        };
        let right = self.run(verified).await?.map_err(internal)?;
        Ok(right && known)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let Ok(_queued) = self.queue.try_acquire() else { return Err(overloaded()) };
        let processor = Arc::clone(&self.processors).acquire_owned().await.map_err(internal)?;
        // The permit goes along: work whose caller has gone still keeps its processor busy.
        let work = move || {
            let _processor = processor;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_a_salted_phc_string_that_verifies() {
        let passwords = Passwords::new(1000).expect("passwords");
        let (one, two) = (passwords.hash("hunter2").await, passwords.hash("hunter2").await);
        let (one, two) = (one.expect("hash"), two.expect("hash"));
        assert!(one.starts_with("$pbkdf2-sha256$i=1000,l=32$"), "{one}");
        assert_ne!(one, two);
        assert!(passwords.verify("hunter2", Some(one.clone())).await.expect("verifies"));
        assert!(!passwords.verify("hunter3", Some(one)).await.expect("verifies"));
        assert!(!passwords.verify("decoy", None).await.expect("verifies"));
    }

    #[tokio::test]
    async fn the_rounds_are_those_of_the_hash() {
        let old = Passwords::new(1000).expect("passwords").hash("hunter2").await.expect("hash");
        assert!(Passwords::new(2000).expect("passwords").verify("hunter2", Some(old)).await.expect("verifies"));
    }

    #[tokio::test]
    async fn too_many_at_once_are_refused() {
        let passwords = Passwords::new(1000).expect("passwords");
        let all = u32::try_from(passwords.queue.available_permits()).expect("few");
        let _busy = passwords.queue.acquire_many(all).await.expect("permits");
        assert_eq!(passwords.hash("hunter2").await.expect_err("refused").code(), OVERLOADED);
    }
}

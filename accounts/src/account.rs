//! What an account is, its limits, and who may change what of it. Pure: no store, no clock.

use std::{fmt, ops::RangeInclusive};

use chrono::{DateTime, Utc};
use kernel::{Caller, Error, error::Code, validate::Violations};
pub use proto::accounts::words::Role;
use proto::errors;
use uuid::Uuid;

/// Characters of a username.
const USERNAME: RangeInclusive<usize> = 3..=64;
/// Characters of a password. Four bytes each at most, so its bytes are bounded too.
const PASSWORD: RangeInclusive<usize> = 6..=128;
/// Characters of an e-mail address, by RFC 5321, section 4.5.3.1.3 (a path of 256 octets has two angle brackets).
const EMAIL: usize = 254;

/// Somebody who can log in. It has no `Debug`: the hash is nobody's business.
#[derive(Clone)]
pub struct Account {
    pub id: Uuid,
    /// As it was registered.
    pub username: String,
    /// PHC string.
    pub password_hash: String,
    pub roles: Vec<Role>,
    /// What the claim `gen` of its tokens must be; from 1.
    pub generation: i64,
    /// When the generation was last raised.
    pub raised_at: Option<DateTime<Utc>>,
    /// Whether its owner can log in.
    pub is_active: bool,
    pub profile: Profile,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// One more with each change; from 1.
    pub version: i64,
}

/// The personal fields. What is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub phone: String,
    pub address: String,
    pub bio: String,
}

/// What is to be changed of an account; `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub bio: Option<String>,
    pub is_active: Option<bool>,
    pub roles: Option<Vec<Role>>,
}

/// Why an act on an account is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UsernameTaken,
    EmailTaken,
    InvalidCredentials,
    Deactivated,
    NotFound,
    NotYours,
    AdminsOnly,
    LastAdmin,
    /// By somebody else, at the same moment.
    Changed,
}

impl Refusal {
    pub fn code(self) -> &'static Code {
        match self {
            Self::UsernameTaken => errors::USERNAME_TAKEN,
            Self::EmailTaken => errors::EMAIL_TAKEN,
            Self::InvalidCredentials => errors::INVALID_CREDENTIALS,
            Self::Deactivated => errors::ACCOUNT_DEACTIVATED,
            Self::NotFound => errors::USER_NOT_FOUND,
            Self::NotYours => errors::NOT_YOURS,
            Self::AdminsOnly => errors::ADMINS_ONLY,
            Self::LastAdmin => errors::LAST_ADMIN,
            Self::Changed => errors::CHANGED_MEANWHILE,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().meaning())
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::from(refusal.code());
        match refusal {
            Refusal::UsernameTaken => error.with_field("username", "is taken"),
            Refusal::EmailTaken => error.with_field("email", "is taken"),
            _ => error,
        }
    }
}

impl Account {
    /// A new account, which has yet to be kept.
    pub fn new(username: String, email: String, password_hash: String, roles: Vec<Role>, at: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::new_v4(),
            username,
            password_hash,
            roles,
            generation: 1,
            raised_at: None,
            is_active: true,
            profile: Profile { email, ..Profile::default() },
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    /// Whether an admin can log in with it.
    pub fn is_live_admin(&self) -> bool {
        self.is_active && self.roles.contains(&Role::Admin)
    }

    /// The account with another password: all of its tokens have ended.
    #[must_use]
    pub fn with_password(mut self, password_hash: String, at: DateTime<Utc>) -> Self {
        self.password_hash = password_hash;
        self.touch(at);
        self.raise(at);
        self
    }

    /// The account as `caller` wants it; [`Refusal::NotYours`], [`Refusal::AdminsOnly`]. Whoever may do less from now on
    /// finds the tokens ended that said otherwise.
    pub fn changed(mut self, change: Change, caller: &Caller, at: DateTime<Utc>) -> Result<Self, Refusal> {
        if !self.is_open_to(caller) {
            return Err(Refusal::NotYours);
        }
        let Change { first_name, last_name, email, phone, address, bio, is_active, roles } = change;
        if (is_active.is_some() || roles.is_some()) && !caller.is_admin {
            return Err(Refusal::AdminsOnly);
        }
        let profile = &mut self.profile;
        for (field, value) in [
            (&mut profile.first_name, first_name),
            (&mut profile.last_name, last_name),
            (&mut profile.email, email),
            (&mut profile.phone, phone),
            (&mut profile.address, address),
            (&mut profile.bio, bio),
        ] {
            if let Some(value) = value {
                *field = value;
            }
        }
        let before = (self.is_active, self.roles.clone());
        self.is_active = is_active.unwrap_or(self.is_active);
        self.roles = roles.unwrap_or(self.roles);
        self.touch(at);
        if before != (self.is_active, self.roles.clone()) {
            self.raise(at);
        }
        Ok(self)
    }

    /// The account without its personal fields.
    #[must_use]
    pub fn erased(mut self, at: DateTime<Utc>) -> Self {
        self.profile = Profile::default();
        self.touch(at);
        self
    }

    /// Whether `caller` may see and change what is not for everybody.
    pub fn is_open_to(&self, caller: &Caller) -> bool {
        caller.is_admin || caller.id == self.id
    }

    fn raise(&mut self, at: DateTime<Utc>) {
        self.generation += 1;
        self.raised_at = Some(at);
    }

    fn touch(&mut self, at: DateTime<Utc>) {
        self.version += 1;
        self.updated_at = at;
    }
}

/// Checks a name to register.
pub fn check_username(username: &str, violations: &mut Violations) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if username.is_empty() {
        violations.add("username", "is required");
    } else if !USERNAME.contains(&username.chars().count()) || !username.chars().all(allowed) {
        violations.add("username", "must have 3 to 64 of the characters A-Z a-z 0-9 _ . -");
    }
}

/// Checks a password to be.
pub fn check_password(field: &'static str, password: &str, violations: &mut Violations) {
    if password.is_empty() {
        violations.add(field, "is required");
    } else if !PASSWORD.contains(&password.chars().count()) {
        violations.add(field, "must have 6 to 128 characters");
    }
}

/// An address, trimmed; empty for none. Whether it can be reached only a letter would tell: it is one part on each side
/// of an `@`.
pub fn check_email(email: &str, violations: &mut Violations) -> String {
    let email = violations.text("email", email, 0..=EMAIL);
    let parts = email.split_once('@');
    let has_parts =
        parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    if !email.is_empty() && (!has_parts || email.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',')) {
        violations.add("email", "must be an address such as ada@example.org");
    }
    email
}

#[cfg(test)]
mod tests {
    use kernel::time;

    use super::*;

    fn accepts(check: impl FnOnce(&mut Violations)) -> bool {
        let mut violations = Violations::default();
        check(&mut violations);
        violations.into_result().is_ok()
    }

    #[test]
    fn usernames_hold_to_their_alphabet_and_length() {
        for good in ["abc", "A.b-c_9", &"x".repeat(64)] {
            assert!(accepts(|v| check_username(good, v)), "{good}");
        }
        for bad in ["", "ab", &"x".repeat(65), "a b", "ädä", "a/b", "abc\n", " abc", "a\0b"] {
            assert!(!accepts(|v| check_username(bad, v)), "{bad:?}");
        }
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        for good in ["123456", "ääääää", &"🦀".repeat(128), "      "] {
            assert!(accepts(|v| check_password("password", good, v)), "{good}");
        }
        for bad in ["", "12345", "äääää", &"x".repeat(129)] {
            assert!(!accepts(|v| check_password("password", bad, v)), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_a_part_on_each_side() {
        let longest = format!("{}@example.org", "x".repeat(242));
        for good in ["", "ada@example.org", "a@b", "ädä@münchen.example", longest.as_str()] {
            assert!(accepts(|v| drop(check_email(good, v))), "{good}");
        }
        for bad in ["ada", "@example.org", "ada@", "a@b@c", "a b@c", "a@b,c@d", &format!("x{longest}")] {
            assert!(!accepts(|v| drop(check_email(bad, v))), "{bad}");
        }
    }

    fn account(roles: &[Role]) -> Account {
        Account::new("ada".to_owned(), String::new(), String::new(), roles.to_vec(), time::now())
    }

    fn caller(id: Uuid, is_admin: bool) -> Caller {
        Caller { id, name: "ada".to_owned(), is_admin }
    }

    #[test]
    fn one_changes_ones_own_and_an_admin_all() {
        let ada = account(&[]);
        let (own, other, admin) = (caller(ada.id, false), caller(Uuid::new_v4(), false), caller(Uuid::new_v4(), true));
        let bio = Change { bio: Some("trades".to_owned()), ..Change::default() };
        for (caller, refusal) in [(&own, None), (&other, Some(Refusal::NotYours)), (&admin, None)] {
            assert_eq!(ada.clone().changed(bio.clone(), caller, time::now()).err(), refusal);
        }
        for change in [
            Change { is_active: Some(false), ..Change::default() },
            Change { roles: Some(vec![Role::Admin]), ..Change::default() },
        ] {
            assert_eq!(ada.clone().changed(change.clone(), &own, time::now()).err(), Some(Refusal::AdminsOnly));
            let changed = ada.clone().changed(change, &admin, time::now()).expect("an admin may");
            assert_eq!(changed.generation, 2, "tokens end");
        }
    }

    #[test]
    fn tokens_end_with_a_password_and_not_with_a_biography() {
        let at = time::now();
        let ada = account(&[Role::Admin]);
        assert_eq!(ada.clone().with_password("hash".to_owned(), at).generation, 2);
        let own = caller(ada.id, true);
        let same = Change {
            bio: Some("trades".to_owned()),
            is_active: Some(true),
            roles: Some(vec![Role::Admin]),
            ..Change::default()
        };
        assert_eq!(ada.changed(same, &own, at).expect("changes").generation, 1);
    }
}

//! Admins: the first one, made where nobody is one yet, and those whom the owner of the data makes.

use kernel::{Caller, Error, time, validate::Violations};
use uuid::Uuid;

use crate::{
    Passwords, Store,
    account::{Account, Change, Refusal, Role, check_password},
    store,
};

/// Whom the first admin is called.
pub const NAME: &str = "admin";

/// An error where this is no password for the first admin, as `ADMIN_PASSWORD` gives it.
pub fn check(password: &str) -> anyhow::Result<()> {
    let mut violations = Violations::default();
    check_password("", password, &mut violations);
    violations.into_result().map_err(|_| anyhow::anyhow!("ADMIN_PASSWORD must have 6 to 128 characters"))
}

/// Makes the account [`NAME`] with this password, if no admin can log in; whether it did.
///
/// Fails where somebody else has that name: `capsim admin grant` makes an admin of an account that is there.
pub async fn ensure(store: &Store, passwords: &Passwords, password: &str) -> Result<bool, Error> {
    if store.has_admin().await? {
        return Ok(false);
    }
    let hash = passwords.hash(password).await?;
    let admin = Account::new(NAME.to_owned(), String::new(), hash, vec![Role::Admin], time::now());
    match store.create(admin, None).await {
        Ok(()) => Ok(true),
        // Another replica was quicker.
        Err(store::Error::Refused(Refusal::UsernameTaken)) if store.has_admin().await? => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes whoever has this name, or this address, an admin, or takes that away; whether that changed anything. Where it
/// did, the tokens of the account have ended.
pub async fn set(store: &Store, login: &str, is_admin: bool) -> Result<bool, Error> {
    let account = store.find(login.to_owned()).await?.ok_or(Refusal::NotFound)?;
    let owner = Caller { id: Uuid::nil(), name: String::new(), is_admin: true };
    let roles = Some(if is_admin { vec![Role::Admin] } else { Vec::new() });
    let changed = account.clone().changed(Change { roles, ..Change::default() }, &owner, time::now())?;
    let is_news = changed.generation != account.generation;
    if is_news {
        store.replace(account, changed, None).await?;
    }
    Ok(is_news)
}

//! The first admin: made where nobody is one yet.

use kernel::{Error, time, validate::Violations};

use crate::{
    Passwords, Store,
    account::{Account, Refusal, Role, check_password},
    store,
};

/// Whom the first admin is called.
pub const NAME: &str = "admin";

/// Makes the account [`NAME`] with this password, if no admin can log in; whether it did.
///
/// Fails where somebody else has that name: `capsim admin grant` makes an admin of an account that is there.
pub async fn ensure(store: &Store, passwords: &Passwords, password: &str) -> Result<bool, Error> {
    if store.has_admin(None).await? {
        return Ok(false);
    }
    let mut violations = Violations::default();
    check_password("ADMIN_PASSWORD", password, &mut violations);
    violations.into_result()?;
    let hash = passwords.hash(password).await?;
    let admin = Account::new(NAME.to_owned(), String::new(), hash, vec![Role::Admin], time::now());
    match store.create(admin).await {
        Ok(()) => Ok(true),
        // Another replica was quicker.
        Err(store::Error::Refused(Refusal::UsernameTaken)) if store.has_admin(None).await? => Ok(false),
        Err(error) => Err(error.into()),
    }
}

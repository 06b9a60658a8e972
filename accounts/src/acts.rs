//! What each RPC does.

use std::{collections::HashMap, sync::Arc};

use kernel::{Caller, Error, time};
use runtime::{context::Context, identity::Claims, trace};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    Passwords, Store,
    account::{Account, Change, Refusal},
    ends::Ends,
};

/// The accounts on a store.
pub(crate) struct Accounts {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) ends: Arc<Ends>,
}

/// Who wants an account.
pub(crate) struct Registration {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) email: String,
}

/// Who says to be whom.
pub(crate) struct Credentials {
    /// A username or an address.
    pub(crate) login: String,
    pub(crate) password: String,
}

/// The password that is, and the one to be.
pub(crate) struct NewPassword {
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Accounts {
    /// Opens an account; of two racing registrations of one name exactly one wins.
    pub(crate) async fn register(&self, context: &Context, registration: Registration) -> Result<Account, Error> {
        let Registration { username, password, email } = registration;
        // Saves the costly hash where the name is taken; the store decides the race.
        if self.find(username.clone()).await?.is_some() {
            return Err(Refusal::UsernameTaken.into());
        }
        let hash = self.passwords.hash(&password).await?;
        let account = Account::new(username, email, hash, Vec::new(), time::now());
        let traceparent = context.traceparent().map(str::to_owned);
        self.store.create(account.clone(), traceparent).instrument(self.span("accounts.create")).await?;
        Ok(account)
    }

    /// The account whose password this is, after the same work for an unknown name.
    pub(crate) async fn verify_password(&self, credentials: Credentials) -> Result<Account, Error> {
        let account = self.find(credentials.login).await?;
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let is_right = self.passwords.verify(&credentials.password, hash).await?;
        match account.filter(|_| is_right) {
            Some(account) if account.is_active => Ok(account),
            Some(_) => Err(Refusal::Deactivated.into()),
            None => Err(Refusal::InvalidCredentials.into()),
        }
    }

    /// Gives the caller another password, and ends all of the account's tokens.
    pub(crate) async fn change_password(&self, context: &Context<Caller>, password: NewPassword) -> Result<(), Error> {
        let account = self.get(context.caller.id).await?;
        if !self.passwords.verify(&password.old, Some(account.password_hash.clone())).await? {
            return Err(Refusal::InvalidCredentials.into());
        }
        let hash = self.passwords.hash(&password.new).await?;
        let changed = account.clone().with_password(hash, time::now());
        self.replace(context, account, changed).await
    }

    /// Ends the token of this call.
    pub(crate) async fn end_token(&self, claims: &Claims) -> Result<(), Error> {
        let at = time::now().timestamp_micros();
        self.store.end_token(claims.jti.to_string(), claims.exp, at).instrument(self.span("tokens.end")).await?;
        self.ends.look();
        Ok(())
    }

    /// One account.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Account, Error> {
        self.get_many(vec![id]).await?.pop().ok_or_else(|| Refusal::NotFound.into())
    }

    /// The accounts that are there, in the order asked for, each once.
    pub(crate) async fn get_many(&self, ids: Vec<Uuid>) -> Result<Vec<Account>, Error> {
        let accounts = self.store.get(ids.clone()).instrument(self.span("accounts.get")).await?;
        let mut accounts: HashMap<_, _> = accounts.into_iter().map(|account| (account.id, account)).collect();
        Ok(ids.iter().filter_map(|id| accounts.remove(id)).collect())
    }

    /// An account as its owner and admins see it.
    pub(crate) async fn profile(&self, context: &Context<Caller>, id: Option<Uuid>) -> Result<Account, Error> {
        let account = self.get(id.unwrap_or(context.caller.id)).await?;
        if account.is_open_to(&context.caller) { Ok(account) } else { Err(Refusal::NotYours.into()) }
    }

    /// Changes an account.
    pub(crate) async fn update(
        &self,
        context: &Context<Caller>,
        update: (Option<Uuid>, Change),
    ) -> Result<Account, Error> {
        let (id, change) = update;
        let account = self.get(id.unwrap_or(context.caller.id)).await?;
        let changed = account.clone().changed(change, &context.caller, time::now())?;
        self.replace(context, account, changed.clone()).await?;
        Ok(changed)
    }

    /// Erases the caller's personal fields.
    pub(crate) async fn erase(&self, context: &Context<Caller>) -> Result<(), Error> {
        let account = self.get(context.caller.id).await?;
        let erased = account.clone().erased(time::now());
        self.replace(context, account, erased).await
    }

    async fn find(&self, login: String) -> Result<Option<Account>, Error> {
        Ok(self.store.find(login).instrument(self.span("accounts.find")).await?)
    }

    async fn replace(&self, context: &Context<Caller>, before: Account, after: Account) -> Result<(), Error> {
        let traceparent = context.traceparent().map(str::to_owned);
        self.store.replace(before, after, traceparent).instrument(self.span("accounts.replace")).await?;
        self.ends.look();
        Ok(())
    }

    fn span(&self, name: &'static str) -> tracing::Span {
        trace::store(self.store.backend(), name)
    }
}

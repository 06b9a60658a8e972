//! The statements, for both databases: see `storage::sql`. Each function is one act, inside of a transaction.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, TextExpressionMethods,
};
use storage::outbox::Message;
use uuid::Uuid;

use super::{
    super::{
        Ended, Error,
        row::Row,
        schema::{accounts, ended_tokens, logins},
    },
    append,
    flavour::{Connection, RunQueryDsl},
};
use crate::account::{Account, Refusal, Role};

/// Keeps a new account, where its name and its address are free, and what is told of it.
pub(in super::super) async fn create(
    connection: &mut Connection,
    account: Account,
    message: Message,
) -> Result<(), Error> {
    claim(connection, &account.username, &account, Refusal::UsernameTaken).await?;
    if !account.profile.email.is_empty() {
        claim(connection, &account.profile.email, &account, Refusal::EmailTaken).await?;
    }
    diesel::insert_into(accounts::table).values(Row::from(&account)).execute(connection).await?;
    Ok(append(connection, &[message]).await?)
}

/// Takes a name or an address for `account`; of two who race for it one gets it.
async fn claim(connection: &mut Connection, login: &str, account: &Account, taken: Refusal) -> Result<(), Error> {
    let claimed = diesel::insert_into(logins::table)
        .values((logins::login.eq(login.to_lowercase()), logins::account_id.eq(account.id.to_string())))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    if claimed == 0 { Err(Error::Refused(taken)) } else { Ok(()) }
}

/// The account of a name or an address, in any case.
pub(in super::super) async fn find(connection: &mut Connection, login: String) -> Result<Option<Account>, Error> {
    let id: Option<String> =
        logins::table.find(login.to_lowercase()).select(logins::account_id).get_result(connection).await.optional()?;
    match id {
        Some(id) => by_id(connection, id).await,
        None => Ok(None),
    }
}

/// The accounts of these ids, in no order.
pub(in super::super) async fn get(connection: &mut Connection, ids: Vec<Uuid>) -> Result<Vec<Account>, Error> {
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    let rows: Vec<Row> =
        accounts::table.filter(accounts::id.eq_any(ids)).select(Row::as_select()).load(connection).await?;
    rows.into_iter().map(|row| Ok(row.try_into()?)).collect()
}

async fn by_id(connection: &mut Connection, id: String) -> Result<Option<Account>, Error> {
    let row: Option<Row> = accounts::table.find(id).select(Row::as_select()).get_result(connection).await.optional()?;
    Ok(row.map(Account::try_from).transpose()?)
}

/// Makes `after` of `before`, if the account is still that, and keeps what is told of it.
pub(in super::super) async fn replace(
    connection: &mut Connection,
    before: Account,
    after: Account,
    message: Message,
) -> Result<(), Error> {
    let (old, new) = (&before.profile.email, &after.profile.email);
    if old.to_lowercase() != new.to_lowercase() {
        if !new.is_empty() {
            claim(connection, new, &after, Refusal::EmailTaken).await?;
        }
        diesel::delete(logins::table.find(old.to_lowercase())).execute(connection).await?;
    }
    let row = Row::from(&after);
    let unchanged = accounts::id
        .eq(row.id.clone())
        .and(accounts::updated_at.eq(before.updated_at.timestamp_micros()))
        .and(accounts::generation.eq(before.generation));
    let replaced = diesel::update(accounts::table).filter(unchanged).set(row).execute(connection).await?;
    // Where it is refused the transaction goes back, and with it what was claimed.
    if replaced == 0 {
        return Err(Error::Refused(Refusal::Changed));
    }
    append(connection, &[message]).await?;
    if before.is_live_admin() && !after.is_live_admin() {
        another_admin_stays(connection, &after).await
    } else {
        Ok(())
    }
}

/// Of two admins who step down at once the second one waits here for the first, and then finds itself the last.
async fn another_admin_stays(connection: &mut Connection, account: &Account) -> Result<(), Error> {
    // No name, and no address, has a space.
    const TURN: &str = "the last admin";
    claim(connection, TURN, account, Refusal::Changed).await?;
    let stays = has_admin(connection).await?;
    diesel::delete(logins::table.find(TURN)).execute(connection).await?;
    if stays { Ok(()) } else { Err(Error::Refused(Refusal::LastAdmin)) }
}

/// Whether an admin who can log in is there.
pub(in super::super) async fn has_admin(connection: &mut Connection) -> Result<bool, Error> {
    let is_admin = accounts::roles.like(format!("%{}%", Role::Admin.as_str()));
    let admins = accounts::table.filter(accounts::is_active.and(is_admin));
    let id: Option<String> = admins.select(accounts::id).first(connection).await.optional()?;
    Ok(id.is_some())
}

/// Remembers that a token has ended.
pub(in super::super) async fn end_token(
    connection: &mut Connection,
    id: String,
    expires_at: i64,
    at: i64,
) -> Result<(), Error> {
    diesel::insert_into(ended_tokens::table)
        .values((ended_tokens::id.eq(id), ended_tokens::expires_at.eq(expires_at), ended_tokens::ended_at.eq(at)))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(())
}

/// What has ended since a moment (microseconds since the epoch).
pub(in super::super) async fn ended_since(connection: &mut Connection, since: i64) -> Result<Ended, Error> {
    let tokens = ended_tokens::table
        .filter(ended_tokens::ended_at.ge(since))
        .select((ended_tokens::id, ended_tokens::expires_at))
        .load(connection)
        .await?;
    let generations = accounts::table
        .filter(accounts::raised_at.gt(0).and(accounts::raised_at.ge(since)))
        .select((accounts::id, accounts::generation))
        .load(connection)
        .await?;
    Ok(Ended { tokens, generations })
}

/// Forgets up to `most` tokens that have expired before `second`; how many it were.
pub(in super::super) async fn sweep(connection: &mut Connection, second: i64, most: i64) -> Result<usize, Error> {
    let expired: Vec<String> = ended_tokens::table
        .filter(ended_tokens::expires_at.lt(second))
        .order(ended_tokens::expires_at)
        .limit(most)
        .select(ended_tokens::id)
        .load(connection)
        .await?;
    Ok(diesel::delete(ended_tokens::table.filter(ended_tokens::id.eq_any(expired))).execute(connection).await?)
}

//! An account as a row.

use chrono::{DateTime, Utc};
use diesel::{AsChangeset, Insertable, Queryable, Selectable};
use kernel::word::UnknownWord;
use storage::Error;

use super::schema::accounts;
use crate::account::{Account, Profile, Role};

/// What `accounts` keeps.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub(super) struct Row {
    pub(super) id: String,
    username: String,
    email: String,
    password_hash: String,
    roles: String,
    generation: i64,
    raised_at: i64,
    is_active: bool,
    first_name: String,
    last_name: String,
    phone: String,
    address: String,
    bio: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
}

impl From<&Account> for Row {
    fn from(account: &Account) -> Self {
        let Account { profile, roles, .. } = account;
        Self {
            id: account.id.to_string(),
            username: account.username.clone(),
            email: profile.email.clone(),
            password_hash: account.password_hash.clone(),
            roles: roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(","),
            generation: account.generation,
            raised_at: account.raised_at.map_or(0, |at| at.timestamp_micros()),
            is_active: account.is_active,
            first_name: profile.first_name.clone(),
            last_name: profile.last_name.clone(),
            phone: profile.phone.clone(),
            address: profile.address.clone(),
            bio: profile.bio.clone(),
            created_at: account.created_at.timestamp_micros(),
            updated_at: account.updated_at.timestamp_micros(),
            version: account.version,
        }
    }
}

impl TryFrom<Row> for Account {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let roles = row.roles.split(',').filter(|word| !word.is_empty()).map(str::parse::<Role>);
        Ok(Self {
            id: row.id.parse().map_err(|error: uuid::Error| Error::damaged(error))?,
            username: row.username,
            password_hash: row.password_hash,
            roles: roles.collect::<Result<_, _>>().map_err(|error: UnknownWord| Error::damaged(error))?,
            generation: row.generation,
            raised_at: (row.raised_at > 0).then(|| moment(row.raised_at)).transpose()?,
            is_active: row.is_active,
            profile: Profile {
                email: row.email,
                first_name: row.first_name,
                last_name: row.last_name,
                phone: row.phone,
                address: row.address,
                bio: row.bio,
            },
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
            version: row.version,
        })
    }
}

fn moment(micros: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::damaged("a time is out of range"))
}

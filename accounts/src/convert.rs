//! Protobuf to the domain and back; requests are checked on the way, all violations at once.

use kernel::{
    Error,
    excerpt::{self, Measure, json_bytes},
    validate::Violations,
    word::UnknownWord,
};
use proto::{accounts as pb, time, words::Numbered as _};
use uuid::Uuid;

use crate::{
    account::{Account, Change, Role, check_email, check_password, check_username},
    acts::{Credentials, NewPassword, Registration},
};

/// Accounts of one batch at most.
const MAX_BATCH: usize = 100;

pub(crate) fn registration(request: pb::RegisterRequest) -> Result<Registration, Error> {
    let mut violations = Violations::default();
    let pb::RegisterRequest { username, password, email } = request;
    check_username(&username, &mut violations);
    check_password("password", &password, &mut violations);
    let email = check_email(&email, &mut violations);
    violations.into_result()?;
    Ok(Registration { username, password, email })
}

pub(crate) fn credentials(request: pb::VerifyPasswordRequest) -> Result<Credentials, Error> {
    let mut violations = Violations::default();
    let pb::VerifyPasswordRequest { login, password } = request;
    for (field, text) in [("login", &login), ("password", &password)] {
        if text.is_empty() {
            violations.add(field, "is required");
        }
    }
    violations.into_result()?;
    Ok(Credentials { login, password })
}

pub(crate) fn passwords(request: pb::ChangePasswordRequest) -> Result<NewPassword, Error> {
    let mut violations = Violations::default();
    let pb::ChangePasswordRequest { old, new } = request;
    if old.is_empty() {
        violations.add("old", "is required");
    }
    check_password("new", &new, &mut violations);
    violations.into_result()?;
    Ok(NewPassword { old, new })
}

pub(crate) fn user_id(request: pb::GetUserRequest) -> Result<Uuid, Error> {
    let mut violations = Violations::default();
    let id = violations.ok("id", id(&request.id));
    violations.into_result()?;
    Ok(id.unwrap_or_default())
}

pub(crate) fn user_ids(request: pb::BatchGetUsersRequest) -> Result<Vec<Uuid>, Error> {
    let mut violations = Violations::default();
    if !(1..=MAX_BATCH).contains(&request.ids.len()) {
        violations.add("ids", format!("must be 1 to {MAX_BATCH} ids"));
    }
    let ids = request.ids.iter().take(MAX_BATCH).map(|text| id(text)).collect::<Result<_, _>>();
    let ids = violations.ok("ids", ids);
    violations.into_result()?;
    Ok(ids.unwrap_or_default())
}

pub(crate) fn profile_id(request: pb::GetProfileRequest) -> Result<Option<Uuid>, Error> {
    let mut violations = Violations::default();
    let id = own_or(&request.id, &mut violations);
    violations.into_result()?;
    Ok(id)
}

pub(crate) fn change(request: pb::UpdateProfileRequest) -> Result<(Option<Uuid>, Change), Error> {
    let mut violations = Violations::default();
    let id = own_or(&request.id, &mut violations);
    let mut text = |field: &'static str, text: Option<String>, most: usize| {
        text.map(|text| violations.text(field, &text, 0..=most))
    };
    let (first_name, last_name) =
        (text("first_name", request.first_name, 100), text("last_name", request.last_name, 100));
    let (phone, address) = (text("phone", request.phone, 50), text("address", request.address, 500));
    let bio = text("bio", request.bio, 2000);
    let email = request.email.map(|email| check_email(&email, &mut violations));
    let roles = request.roles.map(|set| set.roles.into_iter().filter_map(|word| role(word, &mut violations)).collect());
    let roles = roles.map(|mut roles: Vec<Role>| {
        roles.dedup();
        roles
    });
    violations.into_result()?;
    Ok((id, Change { first_name, last_name, email, phone, address, bio, is_active: request.is_active, roles }))
}

pub(crate) fn registered(account: Account) -> pb::RegisterResponse {
    pb::RegisterResponse { user: Some(to_user(account)) }
}

pub(crate) fn verified(account: Account) -> pb::VerifyPasswordResponse {
    let (roles, generation) = (to_roles(&account), account.generation);
    pb::VerifyPasswordResponse { user: Some(to_user(account)), roles, generation }
}

pub(crate) fn user(account: Account) -> pb::GetUserResponse {
    pb::GetUserResponse { user: Some(to_user(account)) }
}

pub(crate) fn users(accounts: Vec<Account>) -> pb::BatchGetUsersResponse {
    let mut users: Vec<_> = accounts.into_iter().map(to_user).collect();
    excerpt::fit(&mut users, user_bytes, cut_bio);
    pb::BatchGetUsersResponse { users }
}

pub(crate) fn read_profile(account: Account) -> pb::GetProfileResponse {
    pb::GetProfileResponse { profile: Some(to_profile(account)) }
}

pub(crate) fn updated_profile(account: Account) -> pb::UpdateProfileResponse {
    pb::UpdateProfileResponse { profile: Some(to_profile(account)) }
}

fn id(text: &str) -> Result<Uuid, &'static str> {
    Uuid::try_parse(text).map_err(|_| "must be a UUID")
}

/// `None` for the caller's own.
fn own_or(text: &str, violations: &mut Violations) -> Option<Uuid> {
    if text.is_empty() { None } else { violations.ok("id", id(text)) }
}

/// A role cannot be unspecified.
fn role(number: i32, violations: &mut Violations) -> Option<Role> {
    violations.ok("roles", Role::of_number(number).ok_or(UnknownWord(Role::WORDS)))
}

fn to_roles(account: &Account) -> Vec<i32> {
    account.roles.iter().map(|role| role.number()).collect()
}

fn to_user(account: Account) -> pb::User {
    pb::User {
        id: account.id.to_string(),
        username: account.username,
        first_name: account.profile.first_name,
        last_name: account.profile.last_name,
        bio: account.profile.bio,
        created_at: Some(time::to_proto(account.created_at)),
    }
}

/// Bytes of a user as JSON but for its texts: names of fields, id, time.
const FRAME: usize = 250;

fn user_bytes(user: &pb::User, measure: Measure) -> usize {
    let texts = [&user.username, &user.first_name, &user.last_name, &user.bio];
    FRAME + texts.into_iter().map(|text| measure(text)).sum::<usize>()
}

fn cut_bio(user: &mut pb::User, bytes: usize) {
    let excess = user_bytes(user, json_bytes).saturating_sub(bytes);
    let bio = json_bytes(&user.bio).saturating_sub(excess);
    excerpt::truncate(&mut user.bio, bio);
}

fn to_profile(account: Account) -> pb::Profile {
    pb::Profile {
        email: account.profile.email.clone(),
        phone: account.profile.phone.clone(),
        address: account.profile.address.clone(),
        roles: to_roles(&account),
        is_active: account.is_active,
        updated_at: Some(time::to_proto(account.updated_at)),
        user: Some(to_user(account)),
    }
}

#[cfg(test)]
mod tests {
    use kernel::{excerpt::PAGE_BYTES, time};

    use super::*;

    #[test]
    fn a_hundred_of_the_longest_fit_into_a_page() {
        let longest = |number: usize| {
            let name = format!("{number:x>64}");
            let mut account = Account::new(name, String::new(), String::new(), Vec::new(), time::now());
            account.profile.first_name = "\u{1}".repeat(100);
            account.profile.last_name = "\u{1}".repeat(100);
            account.profile.bio = "🦀".repeat(2000);
            account
        };
        let page = users((0..MAX_BATCH).map(longest).collect());
        assert_eq!(page.users.len(), MAX_BATCH);
        assert!(page.users.iter().map(|user| user_bytes(user, json_bytes)).sum::<usize>() <= PAGE_BYTES);
        assert!(page.users.iter().all(|user| user.bio.ends_with('…')));
        let few = users(vec![longest(1), longest(2)]);
        assert!(few.users.iter().all(|user| user.bio.chars().count() == 2000), "they are not cut");
    }
}

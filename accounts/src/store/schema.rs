//! The tables of `migrations/`, the same on both databases, as diesel knows them.

diesel::table! {
    accounts (id) {
        id -> Text,
        username -> Text,
        email -> Text,
        password_hash -> Text,
        roles -> Text,
        generation -> BigInt,
        raised_at -> BigInt,
        is_active -> Bool,
        first_name -> Text,
        last_name -> Text,
        phone -> Text,
        address -> Text,
        bio -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    logins (login) {
        login -> Text,
        account_id -> Text,
    }
}

diesel::table! {
    ended_tokens (id) {
        id -> Text,
        expires_at -> BigInt,
        ended_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(accounts, logins);

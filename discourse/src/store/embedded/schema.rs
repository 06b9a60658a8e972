//! The tables, as `migrations/embedded` makes them.

diesel::table! {
    channels (id) {
        id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        #[sql_name = "type"]
        kind -> Text,
        zone -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        channel_id -> BigInt,
        author_id -> Text,
        title -> Nullable<Text>,
        content -> Text,
        topic -> Text,
        is_pinned -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    post_totals (channel_id, topic) {
        channel_id -> BigInt,
        topic -> Text,
        total -> BigInt,
    }
}

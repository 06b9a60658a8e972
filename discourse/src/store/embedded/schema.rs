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
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    members (channel_id, user_id) {
        channel_id -> BigInt,
        user_id -> Text,
        added_by -> Text,
        added_at -> BigInt,
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
        tags -> Text,
    }
}

diesel::table! {
    post_tags (tag, post_id) {
        tag -> Text,
        post_id -> BigInt,
    }
}

diesel::table! {
    post_totals (channel_id, topic) {
        channel_id -> BigInt,
        topic -> Text,
        total -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(channels, members, post_tags, posts);
diesel::joinable!(posts -> channels (channel_id));

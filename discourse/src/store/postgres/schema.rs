//! The tables, as `migrations/postgres` makes them, but for what no row shows: `channels.deleted_at` and `posts.words`.

diesel::table! {
    channels (id) {
        id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        #[sql_name = "type"]
        kind -> Text,
        zone -> Nullable<Text>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        economic_posts -> BigInt,
        philosophical_posts -> BigInt,
        strategic_posts -> BigInt,
        general_posts -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        channel_id -> BigInt,
        author_id -> Uuid,
        title -> Nullable<Text>,
        content -> Text,
        topic -> Text,
        is_pinned -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        version -> BigInt,
        tags -> Array<Text>,
    }
}

diesel::table! {
    members (channel_id, user_id) {
        channel_id -> BigInt,
        user_id -> Uuid,
        added_by -> Uuid,
        added_at -> Timestamptz,
    }
}

diesel::joinable!(posts -> channels (channel_id));

diesel::allow_tables_to_appear_in_same_query!(channels, members, posts);

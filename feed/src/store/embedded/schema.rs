//! The tables, as `migrations/` makes them.

diesel::table! {
    views (id) {
        id -> BigInt,
        phase -> Text,
        head -> Text,
    }
}

diesel::table! {
    entries (view, list, number) {
        view -> BigInt,
        list -> Text,
        number -> BigInt,
        thing -> Text,
        channel -> Nullable<BigInt>,
        entry -> Text,
    }
}

diesel::table! {
    lists (view, list) {
        view -> BigInt,
        list -> Text,
        newest -> BigInt,
    }
}

diesel::table! {
    channels (view, id) {
        view -> BigInt,
        id -> BigInt,
        channel -> Text,
    }
}

diesel::table! {
    members (view, channel, user) {
        view -> BigInt,
        channel -> BigInt,
        user -> Text,
    }
}

diesel::table! {
    totals (view, type_) {
        view -> BigInt,
        #[sql_name = "type"]
        type_ -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    rates (view, width, slot) {
        view -> BigInt,
        width -> BigInt,
        slot -> BigInt,
        start -> BigInt,
        count -> BigInt,
    }
}

diesel::table! {
    active (view, user) {
        view -> BigInt,
        user -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    reads (user) {
        user -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    marks (name) {
        name -> Text,
        value -> BigInt,
    }
}

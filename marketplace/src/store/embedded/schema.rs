//! The tables of `migrations/`, as diesel knows them.

diesel::table! {
    accounts (owner) {
        owner -> Text,
        username -> Text,
        active_listings -> BigInt,
        completed_sales -> BigInt,
        opened_at -> BigInt,
    }
}

diesel::table! {
    balances (owner, currency) {
        owner -> Text,
        currency -> Text,
        balance -> BigInt,
        deposited_on -> Text,
        deposited -> BigInt,
    }
}

diesel::table! {
    journal (id) {
        id -> BigInt,
        kind -> Text,
        reference -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    postings (owner, number) {
        owner -> Text,
        number -> BigInt,
        entry -> BigInt,
        currency -> Text,
        amount -> BigInt,
        balance -> BigInt,
    }
}

diesel::table! {
    items (id) {
        id -> Text,
        name -> Text,
        description -> Text,
        category -> Text,
        currency -> Text,
        price -> BigInt,
        price_rank -> Text,
        seller_id -> Text,
        status -> Text,
        is_premium -> Bool,
        tags -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    item_tags (tag, item_id) {
        tag -> Text,
        item_id -> Text,
    }
}

diesel::table! {
    item_totals (category, status, currency, is_premium) {
        category -> Text,
        status -> Text,
        currency -> Text,
        is_premium -> Bool,
        total -> BigInt,
    }
}

diesel::table! {
    transactions (id) {
        id -> Text,
        item_id -> Text,
        buyer_id -> Text,
        seller_id -> Text,
        currency -> Text,
        price -> BigInt,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        created_at -> BigInt,
    }
}

diesel::joinable!(items -> accounts (seller_id));
diesel::joinable!(postings -> journal (entry));
diesel::allow_tables_to_appear_in_same_query!(journal, postings);
diesel::allow_tables_to_appear_in_same_query!(items, accounts, item_tags, transactions);

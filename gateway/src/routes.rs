//! Which routes there are.

mod activity;
mod auth;
mod discourse;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod marketplace;
mod notifications;
mod ops;
mod page;
mod profile;
mod tag;
mod users;
mod words;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    app::App,
    middleware::{self, admit},
    openapi, time,
};

/// The gateway's state, as handlers take it.
type State = axum::extract::State<Arc<App>>;

/// Everything that the gateway serves, with its middleware.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let admitted = from_fn_with_state((Arc::clone(app), Arc::clone(&app.call_limit)), admit);
    let (router, api) = OpenApiRouter::with_openapi(openapi::base())
        .merge(business().route_layer(admitted))
        .merge(ops())
        .split_for_parts();
    let docs = SwaggerUi::new("/docs").url("/openapi.json", openapi::complete(api)).config(
        Config::default()
            .deep_linking(true)
            .persist_authorization(true)
            .try_it_out_enabled(true)
            .display_request_duration(true),
    );
    let router = router
        .with_state(Arc::clone(app))
        .merge(Router::from(docs).layer(from_fn(ops::docs_headers)))
        .fallback(ops::not_found)
        .method_not_allowed_fallback(ops::method_not_allowed);
    middleware::stack(router, app)
}

/// The description of all routes, as served at `/openapi.json`.
pub fn description() -> OpenApi {
    openapi::complete(OpenApiRouter::with_openapi(openapi::base()).merge(business()).merge(ops()).into_openapi())
}

fn business() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::change_password))
        .routes(routes!(auth::validate))
        .routes(routes!(auth::jwks))
        .routes(routes!(users::get_user, users::update_user))
        .routes(routes!(users::get_users))
        .routes(routes!(profile::get_profile, profile::create_profile, profile::update_profile, profile::erase_profile))
        .routes(routes!(marketplace::item::list_items))
        .routes(routes!(marketplace::item::get_item))
        .routes(routes!(marketplace::item::create_item))
        .routes(routes!(marketplace::purchase::purchase_item))
        .routes(routes!(marketplace::deposit::make_deposit))
        .routes(routes!(marketplace::wallet::get_wallet))
        .routes(routes!(marketplace::entry::list_wallet_entries))
        .routes(routes!(discourse::channel::list_channels))
        .routes(routes!(discourse::channel::create_channel))
        .routes(routes!(
            discourse::channel::get_channel,
            discourse::channel::update_channel,
            discourse::channel::delete_channel
        ))
        .routes(routes!(discourse::member::list_members))
        .routes(routes!(discourse::member::get_member, discourse::member::add_member, discourse::member::remove_member))
        .routes(routes!(discourse::search::list_posts))
        .routes(routes!(discourse::post::create_post))
        .routes(routes!(activity::list_activity))
        .routes(routes!(activity::list_user_activity))
        .routes(routes!(activity::get_activity_stats))
        .routes(routes!(activity::live::create_activity_ticket))
        .routes(routes!(activity::live::watch_activity))
        .routes(routes!(notifications::list_notifications))
        .routes(routes!(notifications::mark_notifications_read))
        .routes(routes!(discourse::post::get_post, discourse::post::update_post, discourse::post::delete_post))
}

fn ops() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(ops::index))
        .routes(routes!(ops::status))
        .routes(routes!(ops::health))
        .routes(routes!(ops::metrics))
}

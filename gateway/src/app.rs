//! The parts of a gateway.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicU64},
    time::Instant,
};

use axum::{extract::FromRequestParts, http::request::Parts};
use ipnet::IpNet;
use kernel::Clock;
use proto::{
    accounts::accounts_client::AccountsClient, discourse::discourse_client::DiscourseClient,
    feed::feed_client::FeedClient, marketplace::marketplace_client::MarketplaceClient,
};
use runtime::{
    identity::{Ended, SigningKeys, Verifier},
    metrics::Metrics,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Code, Response, Status};
use tracing::Instrument;
use upstream::{Balancer, Checks, follow_ended};

use crate::{
    auth::{Auth, guesses::Guesses},
    cache::{Cache, MemoryCache, ResponseCache, Tag},
    config::{Options, Replicas, Stores},
    error::Problem,
    in_flight::InFlight,
    live::{Live, Tickets, follow},
    rate_limit::{ClientAddress, Limit},
    redis::Redis,
};

/// An answer from a service, bytes at most: a page has less than half of it (`kernel::excerpt`).
const MAX_MESSAGE_BYTES: usize = 512 * 1024;

/// What a gateway is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub instance: String,
    pub replicas: Replicas,
    /// What tokens are signed with.
    pub keys: SigningKeys,
    pub options: Options,
    pub stores: Stores,
    /// When tokens end: [`Clock::system`] but in tests.
    pub clock: Clock,
}

/// The parts that handlers and middleware use.
pub struct App {
    pub(crate) instance: String,
    pub(crate) auth: Auth,
    pub(crate) cache: Arc<ResponseCache>,
    pub(crate) balancers: Vec<Balancer>,
    /// Where there is one.
    pub(crate) redis: Option<Redis>,
    pub(crate) call_limit: Arc<Limit>,
    pub(crate) guesses: Arc<Guesses>,
    /// Whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Arc<[IpNet]>,
    pub(crate) in_flight: InFlight,
    pub(crate) live: Arc<Live>,
    pub(crate) metrics: Metrics,
    pub(crate) started: Instant,
    /// Calls since the start, for `/status`; of operations none is counted.
    pub(crate) requests: AtomicU64,
    accounts: AccountsClient<Balancer>,
    marketplace: MarketplaceClient<Balancer>,
    discourse: DiscourseClient<Balancer>,
    feed: FeedClient<Balancer>,
    /// Writes under way, and whatever else must end before the process does.
    pub(crate) tasks: TaskTracker,
}

impl App {
    /// `stopping` ends what would not end by itself, live streams; `drained` what goes on as long as there are requests.
    pub(crate) fn new(
        settings: Settings,
        stopping: &CancellationToken,
        drained: &CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        use proto::{
            accounts::accounts_server, discourse::discourse_server, feed::feed_server, marketplace::marketplace_server,
        };

        let Settings { instance, replicas, keys, clock, options, stores } = settings;
        let metrics = Metrics::new("gateway")?;
        let tasks = TaskTracker::new();
        let checks = Checks::start(&tasks, drained)?;
        let balancer = |service, name, replicas: &[_]| Balancer::new(service, name, replicas, &metrics, &checks);
        let accounts = balancer("accounts", accounts_server::SERVICE_NAME, &replicas.accounts);
        let marketplace = balancer("marketplace", marketplace_server::SERVICE_NAME, &replicas.marketplace);
        let discourse = balancer("discourse", discourse_server::SERVICE_NAME, &replicas.discourse);
        let feed = balancer("feed", feed_server::SERVICE_NAME, &replicas.feed);
        let verifier = Verifier::new(keys.jwks(), clock, Ended::default())?;
        let following = follow_ended(replicas.accounts, verifier.clone());
        tasks.spawn(drained.clone().run_until_cancelled_owned(following));
        let ttl = options.cache_ttl;
        let (redis, cache): (_, Arc<dyn Cache>) = match stores {
            Stores::Memory => (None, Arc::new(MemoryCache::new(ttl))),
            Stores::Redis { url, prefix } => {
                let redis = Redis::connect(&url, &prefix, &tasks, drained)?;
                metrics.watch_store("redis", {
                    let redis = redis.clone();
                    move || redis.is_up()
                });
                let cache = redis.cache(ttl, &tasks, drained);
                (Some(redis), cache)
            }
        };
        let cache = Arc::new(ResponseCache::new(Some(cache).filter(|_| !ttl.is_zero()), &metrics));
        let balancers = vec![accounts.clone(), marketplace.clone(), discourse.clone(), feed.clone()];
        let feed = FeedClient::new(feed).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let tickets = Tickets::new(redis.clone());
        let live = Live::new(feed.clone(), verifier.clone(), options.live_at_once, tickets, stopping.clone());
        let live = Arc::new(live);
        let following = follow(replicas.feed, Arc::clone(&live), Arc::clone(&cache));
        tasks.spawn(drained.clone().run_until_cancelled_owned(following));
        let trusted_proxies: Arc<[IpNet]> = options.trusted_proxies.into();
        let call_limit = Arc::new(Limit::new(options.rate_limit, Arc::clone(&trusted_proxies), redis.as_ref()));
        let guesses = Arc::new(Guesses::new(options.auth_rate_limit, redis.as_ref()));
        Ok(Arc::new(Self {
            instance,
            auth: Auth::new(keys, verifier, options.jwt_ttl),
            cache,
            balancers,
            redis,
            call_limit,
            guesses,
            trusted_proxies,
            in_flight: InFlight::new(options.calls_at_once),
            live,
            metrics,
            started: Instant::now(),
            requests: AtomicU64::new(0),
            accounts: AccountsClient::new(accounts).max_decoding_message_size(MAX_MESSAGE_BYTES),
            marketplace: MarketplaceClient::new(marketplace).max_decoding_message_size(MAX_MESSAGE_BYTES),
            discourse: DiscourseClient::new(discourse).max_decoding_message_size(MAX_MESSAGE_BYTES),
            feed,
            tasks,
        }))
    }

    /// A client of the accounts replicas.
    pub(crate) fn accounts(&self) -> AccountsClient<Balancer> {
        self.accounts.clone()
    }

    /// A client of the marketplace replicas.
    pub(crate) fn marketplace(&self) -> MarketplaceClient<Balancer> {
        self.marketplace.clone()
    }

    /// A client of the discourse replicas.
    pub(crate) fn discourse(&self) -> DiscourseClient<Balancer> {
        self.discourse.clone()
    }

    /// A client of the feed's replicas.
    pub(crate) fn feed(&self) -> FeedClient<Balancer> {
        self.feed.clone()
    }

    /// Runs a write to its end, also when the client goes away in the middle, and then invalidates `tags`.
    pub(crate) async fn write<T: Send + 'static>(
        self: &Arc<Self>,
        tags: Vec<Tag>,
        rpc: impl Future<Output = Result<Response<T>, Status>> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = Arc::clone(self);
        let write = async move {
            let outcome = rpc.await;
            if may_have_committed(&outcome) {
                app.cache.invalidate(&tags).await;
            }
            outcome
        };
        let outcome = self.tasks.spawn(write.in_current_span()).await.map_err(Problem::internal)?;
        Ok(outcome?.into_inner())
    }
}

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.extensions, &app.trusted_proxies))
    }
}

/// Whether the service did not surely refuse.
fn may_have_committed<T>(outcome: &Result<T, Status>) -> bool {
    outcome.as_ref().err().is_none_or(|status| {
        matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled | Code::Internal
        )
    })
}

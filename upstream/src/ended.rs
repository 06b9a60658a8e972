//! Follows which tokens have ended, at whatever accounts replica tells it.

use std::{convert::Infallible, time::Duration};

use clap::Args;
use kernel::Clock;
use proto::accounts::{WatchEndedRequest, WatchEndedResponse, accounts_client::AccountsClient};
use runtime::identity::{Ended, Jwks, News, Verifier};
use tonic::Status;
use uuid::Uuid;

use crate::replica::{ReplicaAddress, connect};

/// A replica that says nothing for so long is gone: three heartbeats, and still within the second that counts.
const SILENCE: Duration = Duration::from_millis(900);
/// Between two replicas that both tell nothing: doubles from the first to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How a process that is neither a gateway nor an accounts replica tells good tokens.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub struct IdentityOptions {
    #[command(flatten)]
    pub keys: runtime::identity::Options,

    /// Replicas of the accounts service, host:port, comma-separated: they tell which tokens have ended.
    #[arg(
        long,
        env = "ACCOUNTS_REPLICAS",
        value_delimiter = ',',
        default_value = "127.0.0.1:5001,127.0.0.1:5002,127.0.0.1:5003"
    )]
    pub accounts_replicas: Vec<ReplicaAddress>,
}

/// Serves with what tells good tokens, which is kept up to date as long as that takes: see
/// [`IdentityOptions`].
pub async fn verifying<F>(
    keys: &Jwks,
    accounts: Vec<ReplicaAddress>,
    serve: impl FnOnce(Verifier) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let verifier = Verifier::new(keys, Clock::system(), Ended::default())?;
    tokio::select! {
        served = serve(verifier.clone()) => served,
        never = follow_ended(accounts, verifier) => match never {},
    }
}

/// Lets `verifier` know of every token that ends, as told by one of `replicas`; by the next one in turn where that falls
/// silent. While none of them can be reached [`runtime::identity::Ended::is_current`] says so.
pub async fn follow_ended(replicas: Vec<ReplicaAddress>, verifier: Verifier) -> Infallible {
    let mut backoff = BACKOFF.0;
    for address in replicas.iter().cycle() {
        let told = listen(AccountsClient::new(connect(address)), &verifier).await;
        tracing::debug!(replica = ?address, why = told.why, "asking another accounts replica which tokens end");
        if told.heard {
            backoff = BACKOFF.0;
        }
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
    // There are none.
    std::future::pending().await
}

/// How following one replica ended.
struct Told {
    /// Whether it said anything.
    heard: bool,
    why: String,
}

async fn listen(mut client: AccountsClient<tonic::transport::Channel>, verifier: &Verifier) -> Told {
    let mut heard = false;
    let outcome: Result<(), Status> = async {
        let silent = |_| Status::deadline_exceeded("it says nothing");
        let watch = client.watch_ended(WatchEndedRequest {});
        let mut stream = tokio::time::timeout(SILENCE, watch).await.map_err(silent)??.into_inner();
        while let Some(message) = tokio::time::timeout(SILENCE, stream.message()).await.map_err(silent)?? {
            heard = true;
            let (ended, now) = (verifier.ended(), verifier.clock().unix_seconds());
            match message.more {
                true => ended.note(news(&message), now),
                false => ended.learn(news(&message), now),
            };
        }
        Ok(())
    }
    .await;
    Told {
        heard,
        why: outcome.err().map_or_else(|| "it closed the stream".to_owned(), |status| status.message().to_owned()),
    }
}

/// What a message says; what makes no sense in it is none of ours.
fn news(message: &WatchEndedResponse) -> News {
    let pair = |id: &str, number: i64| Some((Uuid::try_parse(id).ok()?, number));
    News {
        tokens: message.tokens.iter().filter_map(|token| pair(&token.id, token.expires_at)).collect(),
        generations: message.generations.iter().filter_map(|said| pair(&said.user_id, said.generation)).collect(),
    }
}

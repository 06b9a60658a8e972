//! What an admin tells the feed of a running system.

use std::time::Duration;

use anyhow::Context;
use proto::feed::{GetStatsRequest, RebuildRequest, feed_client::FeedClient};
use tonic::{Request, Status};
use upstream::ReplicaAddress;

/// Between two looks whether it is done.
const INTERVAL: Duration = Duration::from_millis(200);

/// Has the views made anew from the log, by a replica of the feed and with an admin's token, and waits until they are in the
/// place of the old ones; what to say of it.
pub async fn rebuild(replica: &ReplicaAddress, token: &str) -> anyhow::Result<String> {
    let mut client = FeedClient::new(upstream::connect(replica));
    let mut request = Request::new(RebuildRequest {});
    let bearer = format!("Bearer {token}").parse().context("TOKEN must be a token, as POST /auth/login gives it")?;
    request.metadata_mut().insert("authorization", bearer);
    let refused = |status: Status| anyhow::anyhow!("{}", status.message());
    client.rebuild(request).await.map_err(refused)?;
    loop {
        let stats = client.get_stats(GetStatsRequest {}).await.map_err(refused)?.into_inner();
        if !stats.is_rebuilding {
            let position = stats.view.unwrap_or_default().position;
            return Ok(format!("the views are made anew, from {position} events\n"));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

//! What each RPC does.

use std::sync::Arc;

use kernel::{Caller, Error, Page, time};
use proto::errors;
use runtime::{context::Context, trace};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::{
    channel::{State, may_see},
    store::{ListPage, Notices, Read, Stats, Store},
    view::List,
    watch::{self, News},
};

/// The feed on a store.
pub(crate) struct Feed {
    pub(crate) store: Arc<dyn Store>,
    /// The kind of log that the views follow.
    pub(crate) log: &'static str,
    pub(crate) shutdown: CancellationToken,
}

impl Feed {
    /// What happened, for all; of one type where one is given.
    pub(crate) async fn activity(&self, (kind, page): (Option<String>, Page)) -> Result<(Page, Read<ListPage>), Error> {
        let list = kind.map_or(List::All, List::Kind);
        Ok((page, self.store.page(list, page).instrument(self.span("feed.page")).await?))
    }

    /// What a user did, as far as the caller may see it now.
    pub(crate) async fn user_activity(
        &self,
        context: &Context<Option<Caller>>,
        (user, page): (Uuid, Page),
    ) -> Result<(Page, Read<ListPage>), Error> {
        // All of it, since what cannot be seen does not count.
        let all = Page { page: 1, limit: Page::MAX_LIMIT };
        let mut read = self.store.page(List::User(user), all).instrument(self.span("feed.page")).await?;
        let viewer = context.caller.as_ref().map(|caller| caller.id);
        let channels = read.found.entries.iter().filter_map(|listed| listed.entry.channel).collect();
        let accesses = self.store.accesses(viewer, channels).instrument(self.span("feed.accesses")).await?;
        let seen = &mut read.found.entries;
        seen.retain(|listed| may_see(&listed.entry, viewer, &accesses));
        for listed in seen.iter_mut() {
            let access = listed.entry.channel.and_then(|id| accesses.get(&id));
            if access.is_some_and(|access| access.channel.state == State::Closed) {
                listed.entry.number = None;
            }
        }
        read.found.total = seen.len() as u64;
        let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let entries = std::mem::take(seen).into_iter().skip(offset).take(page.limit as usize);
        read.found.entries = entries.collect();
        Ok((page, read))
    }

    /// Some of what comes after a number of an epoch.
    pub(crate) async fn catch_up(&self, from: (Uuid, u64)) -> Result<Read<News>, Error> {
        let read = self.store.after(from.1, watch::BATCH).instrument(self.span("feed.after")).await?;
        Ok(News::of(read, Some(from)))
    }

    /// How much happens.
    pub(crate) async fn stats(&self) -> Result<Read<Stats>, Error> {
        Ok(self.store.stats(time::now()).instrument(self.span("feed.stats")).await?)
    }

    /// Of what the caller is notified.
    pub(crate) async fn notifications(
        &self,
        context: &Context<Caller>,
        page: Page,
    ) -> Result<(Page, Read<Notices>), Error> {
        let read = self.store.notices(context.caller.id, page).instrument(self.span("feed.notices")).await?;
        Ok((page, read))
    }

    /// The caller has read them up to one, or all.
    pub(crate) async fn mark_read(&self, context: &Context<Caller>, up_to: Option<u64>) -> Result<u64, Error> {
        Ok(self.store.mark_read(context.caller.id, up_to).instrument(self.span("feed.mark_read")).await?)
    }

    /// The views are to be made anew.
    pub(crate) async fn rebuild(&self, context: &Context<Caller>) -> Result<(), Error> {
        if !context.caller.is_admin {
            return Err(errors::ADMINS_ONLY.into());
        }
        Ok(self.store.request_rebuild().instrument(self.span("feed.request_rebuild")).await?)
    }

    fn span(&self, name: &'static str) -> Span {
        trace::store(self.store.backend(), name)
    }
}

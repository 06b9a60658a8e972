//! What holds for every act that takes a key.

use std::time::Duration;

use futures_util::future::join_all;
use kernel::{Caller, Page};
use storage::idempotency::Claim;

use super::{
    draft, first_page,
    purchases::{MINUTE, WEEK, is_reused},
    sell, usd, user,
};
use crate::{
    deposit::Deposit,
    item::{Item, ItemFilter, ItemSort, Listing},
    ledger::EntryKind,
    purchase::{Attempt, Order, TransactionType},
    store::{Error, Store},
    time,
    wallet::EntryQuery,
};

#[derive(Clone, Copy, Debug)]
enum Act {
    List,
    Buy,
    Deposit,
}

impl Act {
    const ALL: [Self; 3] = [Self::List, Self::Buy, Self::Deposit];
}

struct Scene<'a> {
    store: &'a dyn Store,
    /// To be bought.
    items: Vec<Item>,
}

impl<'a> Scene<'a> {
    async fn set(store: &'a dyn Store) -> Self {
        let seller = user("seller");
        Self { store, items: join_all((0..4).map(|_| sell(store, &seller, usd(1)))).await }
    }

    /// What a caller is told who asks for something with a key, so long after now.
    async fn told(&self, caller: &Caller, act: Act, key: &str, what: usize, later: Duration) -> Result<String, Error> {
        let (at, key) = (time::now() + later, key.parse().expect("key"));
        Ok(match act {
            Act::List => {
                let new = draft(usd(what as i64));
                let claim = Claim::new(caller.id, "CreateItem", key, &new);
                let item = self
                    .store
                    .create_item(Listing::new(caller.clone(), new.listed(caller.id, at), Some(claim)))
                    .await?;
                format!("{item:?}")
            }
            Act::Buy => {
                let order = Order { item_id: self.items[what].id, kind: TransactionType::Purchase };
                let attempt = Attempt { at, ..Attempt::new(caller.clone(), order, Some(key)) };
                format!("{:?}", self.store.purchase(attempt).await?)
            }
            Act::Deposit => {
                let amount = usd(1 + what as i64);
                let claim = Claim::new(caller.id, "Deposit", key, &amount);
                let deposit = Deposit::new(caller.clone(), amount, Some(claim), at);
                format!("{:?}", self.store.deposit(deposit).await?)
            }
        })
    }

    /// How often the caller has done it.
    async fn done(&self, caller: &Caller, act: Act) -> usize {
        let total = async |filter| {
            self.store.list_items(&first_page(filter, ItemSort::Newest)).await.expect("lists").1 as usize
        };
        match act {
            Act::List => total(ItemFilter { seller_id: Some(caller.id), ..Default::default() }).await,
            Act::Buy => total(ItemFilter { buyer_id: Some(caller.id), ..Default::default() }).await,
            Act::Deposit => {
                let all = EntryQuery::Page(Page { page: 1, limit: 100 });
                let (entries, _) = self.store.entries(caller, all, None).await.expect("reads");
                entries.iter().filter(|entry| entry.kind == EntryKind::Deposit).count()
            }
        }
    }
}

pub(crate) async fn retries_of_any_act_at_once_do_it_once(store: &dyn Store) {
    let scene = Scene::set(store).await;
    for act in Act::ALL {
        let caller = user("caller");
        let told = join_all((0..16).map(|_| scene.told(&caller, act, "key", 0, Duration::ZERO))).await;
        let told: Vec<_> = told.into_iter().collect::<Result<_, _>>().expect("no failure");
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{act:?}: {told:#?}");
        assert_eq!(scene.done(&caller, act).await, 1, "{act:?}");
    }
}

pub(crate) async fn a_key_is_for_one_request_of_one_caller_and_act(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let (caller, other) = (user("caller"), user("other"));
    for act in Act::ALL {
        // The same key for each act: that is another key.
        let first = scene.told(&caller, act, "key", 0, Duration::ZERO).await.expect("no failure");
        assert!(is_reused(scene.told(&caller, act, "key", 1, Duration::ZERO).await), "{act:?}");
        assert_eq!(scene.told(&caller, act, "key", 0, Duration::ZERO).await.expect("no failure"), first, "{act:?}");
        scene.told(&other, act, "key", 2, Duration::ZERO).await.expect("another caller's keys are others");
        assert_eq!((scene.done(&caller, act).await, scene.done(&other, act).await), (1, 1), "{act:?}");
        scene.told(&caller, act, "KEY", 3, Duration::ZERO).await.expect("another key");
        assert_eq!(scene.done(&caller, act).await, 2, "{act:?}");
    }
}

pub(crate) async fn what_was_done_counts_for_its_time_and_not_longer(store: &dyn Store) {
    let scene = Scene::set(store).await;
    let caller = user("caller");
    for act in Act::ALL {
        let told = async |what, later| scene.told(&caller, act, "key", what, later).await;
        let first = told(0, Duration::ZERO).await.expect("no failure");
        assert_eq!(told(0, WEEK - MINUTE).await.expect("no failure"), first, "{act:?}");
        assert!(is_reused(told(1, WEEK - MINUTE).await), "{act:?}");
        // From then on it is a new key.
        let second = told(1, WEEK + MINUTE).await.expect("no failure");
        assert_ne!(second, first, "{act:?}");
        assert!(is_reused(told(0, WEEK + 2 * MINUTE).await), "{act:?}: it is remembered again");
        assert_eq!(scene.done(&caller, act).await, 2, "{act:?}");
    }
    let forgotten = store.forget_outcomes(time::now() + WEEK + WEEK + 2 * MINUTE).await.expect("no failure");
    assert_eq!(forgotten, Act::ALL.len());
}

//! The suite: `log_contract!` makes a test of each case on a fresh log.

pub(crate) mod dead;
pub(crate) mod replay;
pub(crate) mod work;

use std::{any::Any, sync::Arc};

use events::SharedLog;

use crate::counted::Counted;

/// An empty log, another handle on it as another process has it, and what must outlive them.
pub(crate) struct Fresh {
    pub(crate) log: SharedLog,
    pub(crate) other: SharedLog,
    pub(crate) counts: Counted,
    pub(crate) _keep: Arc<dyn Any + Send + Sync>,
}

macro_rules! log_contract {
    ($fresh:path) => {
        $crate::contract::log_contract! { @cases $fresh, replay: [
            events_are_read_in_the_order_in_which_they_were_published,
            a_reader_goes_on_after_a_position,
            a_reader_begins_with_what_is_published_from_now_on,
            a_reader_begins_at_a_time,
            what_another_process_publishes_is_read,
            who_stops_waiting_loses_nothing,
            what_was_published_twice_is_followed_once,
            a_gap_is_told_and_the_rest_followed,
            who_follows_goes_on_where_it_was,
        ] }
        $crate::contract::log_contract! { @cases $fresh, work: [
            each_event_is_one_workers,
            a_group_is_given_its_types_and_no_others,
            events_wait_for_the_first_worker_of_their_group,
            no_worker_is_given_more_than_it_wants,
            what_a_worker_drops_another_one_is_given,
            what_a_dead_worker_had_another_one_is_given,
            what_is_acknowledged_is_done_for_all,
            events_are_worked_on_out_of_order,
        ] }
        $crate::contract::log_contract! { @cases $fresh, dead: [
            what_was_given_up_is_listed_with_its_reason_and_given_again,
            a_store_that_is_down_for_a_while_makes_no_dead_letter,
            what_fails_five_times_is_a_dead_letter_and_the_rest_goes_on,
            who_is_told_to_stop_finishes_what_it_has,
        ] }
    };
    (@cases $fresh:path, $module:ident: [$($case:ident),* $(,)?]) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let fresh = $fresh().await;
            $crate::contract::$module::$case(&fresh).await;
        }
    )*};
}

pub(crate) use log_contract;

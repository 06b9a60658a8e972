//! What is wrong, where and when: what the checker may put down to a fault, and what it may not.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// What a fault can be felt at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A gateway, by its number from 0, or the way to it.
    Door(usize),
    /// What gateways share: Redis, the ways to it, and any gateway.
    Cache,
    /// Everything behind the gateways.
    Inside,
}

struct Spell {
    fault: String,
    place: Vec<Place>,
    begun: Instant,
    over: Option<Instant>,
}

/// Every fault since the start.
pub(super) struct Weather {
    start: Instant,
    spells: Mutex<Vec<Spell>>,
}

impl Weather {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), spells: Mutex::default() }
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A fault begins; what it is to be ended with.
    pub(super) fn begin(&self, fault: String, place: Vec<Place>) -> usize {
        let mut spells = self.spells.lock().unwrap();
        spells.push(Spell { fault, place, begun: Instant::now(), over: None });
        spells.len() - 1
    }

    pub(super) fn end(&self, spell: usize) {
        self.spells.lock().unwrap()[spell].over = Some(Instant::now());
    }

    /// Whether nothing was wrong with a place from then on, nor shortly before.
    pub(super) fn was_calm(&self, place: Place, since: Instant, before: Duration) -> bool {
        let felt = |spell: &Spell| spell.place.contains(&place) && spell.over.is_none_or(|over| over + before > since);
        !self.spells.lock().unwrap().iter().any(felt)
    }

    /// Whether a process at this door may have been started again since then.
    pub(super) fn was_up(&self, door: usize, since: Instant) -> bool {
        let felt = |spell: &Spell| {
            spell.place.contains(&Place::Door(door))
                && (spell.begun >= since || spell.over.is_none_or(|over| over >= since))
        };
        !self.spells.lock().unwrap().iter().any(felt)
    }

    /// What was wrong when, in seconds since the start; of what is over for longer than `before` nothing.
    pub(super) fn report(&self, before: Duration) -> Vec<String> {
        let seconds = |moment: Instant| moment.duration_since(self.start).as_secs_f64();
        let spells = self.spells.lock().unwrap();
        let recent = spells.iter().filter(|spell| spell.over.is_none_or(|over| over.elapsed() <= before));
        let told = recent.map(|Spell { fault, begun, over, .. }| match over {
            Some(over) => format!("{fault} from {:.3} to {:.3} s", seconds(*begun), seconds(*over)),
            None => format!("{fault} since {:.3} s", seconds(*begun)),
        });
        told.collect()
    }
}

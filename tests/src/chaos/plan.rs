//! Which faults come when: all of it decided by the seed.

use std::{fmt, time::Duration};

use lab::proxy::Fault;

use super::world::Inventory;

/// Before the first fault, so that there is something to lose.
const CALM: Duration = Duration::from_secs(1);

/// What is done to a target for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// `kill -9`, then started again.
    Kill,
    /// SIGTERM, then started again.
    Terminate,
    /// SIGSTOP, then SIGCONT.
    Freeze,
    /// A link is broken, then mended.
    Break(Fault),
    /// The disk is full, then it is not.
    Fill,
}

/// One fault.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Since the start.
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) act: Act,
    /// Which one of its lane.
    pub(super) target: usize,
    name: String,
}

impl Step {
    /// What happens, in words.
    pub(super) fn what(&self) -> String {
        let act = match self.act {
            Act::Kill => "is killed".to_owned(),
            Act::Terminate => "is asked to stop".to_owned(),
            Act::Freeze => "is frozen".to_owned(),
            Act::Fill => "is full".to_owned(),
            Act::Break(Fault::Delay(longest)) => format!("delays by up to {} ms", longest.as_millis()),
            Act::Break(Fault::Cut) => "is cut".to_owned(),
            Act::Break(Fault::BlackHole) => "is a black hole".to_owned(),
            Act::Break(Fault::SwallowAnswers) => "swallows answers".to_owned(),
        };
        format!("{} {act}", self.name)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.3} s  {} for {} ms", self.at.as_secs_f64(), self.what(), self.lasts.as_millis())
    }
}

/// Faults one after the other in each lane; lanes run beside each other.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) servers: Vec<Step>,
    pub(super) stores: Vec<Step>,
    pub(super) edge: Vec<Step>,
    pub(super) inside: Vec<Step>,
    pub(super) disk: Vec<Step>,
}

impl Plan {
    /// All faults are over by `length`.
    pub(super) fn new(seed: u64, length: Duration, inventory: &Inventory) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut lane = |names: &[String], acts: fn(&mut fastrand::Rng, &str) -> Act, longest: u64, pause: u64| {
            let mut steps = Vec::new();
            let mut at = CALM + Duration::from_millis(random.u64(..pause));
            while !names.is_empty() {
                let target = random.usize(..names.len());
                let act = acts(&mut random, &names[target]);
                let lasts = Duration::from_millis(random.u64(200..longest));
                if at + lasts > length {
                    break;
                }
                steps.push(Step { at, lasts, act, target, name: names[target].clone() });
                at += lasts + Duration::from_millis(200 + random.u64(..pause));
            }
            steps
        };
        Self {
            servers: lane(&inventory.servers, of_server, 2000, if inventory.servers.len() == 1 { 4000 } else { 1500 }),
            stores: lane(&inventory.stores, of_store, 1500, 3000),
            edge: lane(&inventory.edge, of_link, 1500, if inventory.edge.len() == 1 { 4000 } else { 1500 }),
            inside: lane(&inventory.inside, of_link, 2000, 1000),
            disk: lane(&inventory.disk, |_, _| Act::Fill, 1500, 5000),
        }
    }

    /// Faults in all.
    pub(super) fn len(&self) -> usize {
        self.lanes().iter().map(|lane| lane.len()).sum()
    }

    fn lanes(&self) -> [&[Step]; 5] {
        [&self.servers, &self.stores, &self.edge, &self.inside, &self.disk]
    }
}

fn of_server(random: &mut fastrand::Rng, _: &str) -> Act {
    [Act::Kill, Act::Kill, Act::Terminate, Act::Freeze][random.usize(..4)]
}

fn of_store(random: &mut fastrand::Rng, name: &str) -> Act {
    // The processes that PostgreSQL forks would go on while the first is frozen: its links are black holes instead.
    if name == "postgres" || random.bool() { Act::Kill } else { Act::Freeze }
}

fn of_link(random: &mut fastrand::Rng, _: &str) -> Act {
    let longest = Duration::from_millis(random.u64(5..300));
    Act::Break([Fault::Delay(longest), Fault::Cut, Fault::BlackHole, Fault::SwallowAnswers][random.usize(..4)])
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut steps: Vec<_> = self.lanes().into_iter().flatten().collect();
        steps.sort_by_key(|step| step.at);
        steps.into_iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_its_faults_end_in_time() {
        let names = |prefix: &str| (1..=3).map(|number| format!("{prefix}-{number}")).collect();
        let inventory = Inventory {
            servers: names("gateway"),
            stores: names("store"),
            edge: names("a"),
            inside: names("b"),
            disk: names("disk"),
        };
        let length = Duration::from_secs(60);
        let plan = Plan::new(7, length, &inventory);
        assert_eq!(plan.to_string(), Plan::new(7, length, &inventory).to_string());
        assert_ne!(plan.to_string(), Plan::new(8, length, &inventory).to_string());
        for lane in plan.lanes() {
            assert!(lane.len() > 5, "{lane:?}");
            assert!(lane.windows(2).all(|pair| pair[0].at + pair[0].lasts < pair[1].at), "one at a time: {lane:?}");
            assert!(lane.iter().all(|step| step.at + step.lasts <= length));
        }
    }
}

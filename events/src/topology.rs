//! What the log is made of: its name, and the groups of workers that are given events of it.
//!
//! All of it stands here, since whoever publishes first makes it all: an event that is told before its first worker was ever
//! started is there when it comes.

use crate::catalogue::Kind;

/// Workers that share the events of some types among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: &'static str,
    pub kinds: &'static [Kind],
}

/// In the marketplace: stock and money of orders.
pub const SETTLEMENT: Group = Group {
    name: "settlement",
    kinds: &[Kind::OrderCreated, Kind::OrderChangeRequested, Kind::OrderCancelRequested, Kind::OrderShipped],
};

/// In orders: what the settlement of an order came to.
pub const OUTCOMES: Group = Group {
    name: "outcomes",
    kinds: &[Kind::OrderSettled, Kind::OrderRefused, Kind::OrderChanged, Kind::OrderChangeRefused, Kind::OrderRefunded],
};

/// A log's name and groups.
#[derive(Clone, Debug)]
pub struct Topology {
    /// What the names of all its parts on a broker begin with.
    pub name: String,
    pub groups: Vec<Group>,
}

impl Topology {
    /// The system's own.
    pub fn capsim() -> Self {
        Self { name: "capsim".to_owned(), groups: vec![SETTLEMENT, OUTCOMES] }
    }

    /// The groups that are given events of a type.
    pub fn groups_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Group> {
        self.groups.iter().filter(move |group| group.kinds.iter().any(|known| known.name() == kind))
    }
}

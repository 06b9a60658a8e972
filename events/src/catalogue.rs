//! The catalogue: every type of event there is, who tells it, of what, in which message, and who may see it.
//!
//! A new type is a message in `proto/capsim/events/v1`, a line here, and an example in `docs/events.md`; a test holds the
//! three together. Types and fields are only added: what was told stays in the log for ever.

use std::{fmt, str::FromStr};

use proto::events as message;
use serde::{Serialize, de::DeserializeOwned};

use crate::audience::Scope;

/// Which service tells an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Accounts,
    Discourse,
    Marketplace,
    Orders,
}

impl Source {
    /// As an event has it: `/accounts`.
    pub fn path(self) -> &'static str {
        match self {
            Self::Accounts => "/accounts",
            Self::Discourse => "/discourse",
            Self::Marketplace => "/marketplace",
            Self::Orders => "/orders",
        }
    }
}

/// A message that is the data of one type of event.
pub trait Data: Serialize + DeserializeOwned {
    const KIND: Kind;
}

/// A type of event is not in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event has this type")]
pub struct UnknownKind;

macro_rules! catalogue {
    ($($name:literal $message:ident $source:ident $subject:literal [$($scope:ident),+];)+) => {
        /// A type of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind {
            $(#[doc = concat!("`", $name, "`")] $message,)+
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$message,)+];

            /// As an event has it: `item.sold`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$message => $name,)+ }
            }

            /// Who tells it.
            pub fn source(self) -> Source {
                match self { $(Self::$message => Source::$source,)+ }
            }

            /// What the id is of that is its subject.
            pub fn subject(self) -> &'static str {
                match self { $(Self::$message => $subject,)+ }
            }

            /// The name of the message in `capsim.events.v1` that is its data.
            pub fn message(self) -> &'static str {
                match self { $(Self::$message => stringify!($message),)+ }
            }

            /// Whom it may be for.
            pub fn scopes(self) -> &'static [Scope] {
                match self { $(Self::$message => &[$(Scope::$scope),+],)+ }
            }

            /// Whether a JSON text is the data of such an event, and the same text again as this version writes it.
            pub fn rewrite(self, data: &str) -> Result<String, serde_json::Error> {
                match self {
                    $(Self::$message => serde_json::to_string(&serde_json::from_str::<message::$message>(data)?),)+
                }
            }
        }

        $(impl Data for message::$message {
            const KIND: Kind = Kind::$message;
        })+
    };
}

catalogue! {
    // type                   message              told by      subject   for
    "user.created"            UserCreated          Accounts     "user"    [All];
    "user.updated"            UserUpdated          Accounts     "user"    [All, Users];

    "item.listed"             ItemListed           Marketplace  "item"    [All];
    "item.updated"            ItemUpdated          Marketplace  "item"    [All];
    "item.withdrawn"          ItemWithdrawn        Marketplace  "item"    [All];
    "item.sold"               ItemSold             Marketplace  "item"    [All];
    "item.resold"             ItemResold           Marketplace  "item"    [All];
    "money.deposited"         MoneyDeposited       Marketplace  "user"    [Users];
    "money.moved"             MoneyMoved           Marketplace  "act"     [System];

    "product.created"         ProductCreated       Marketplace  "product" [All];
    "product.updated"         ProductUpdated       Marketplace  "product" [All];
    "product.deleted"         ProductDeleted       Marketplace  "product" [All];
    "stock.changed"           StockChanged         Marketplace  "product" [All];
    "stock.low"               StockLow             Marketplace  "product" [All];
    "stock.out"               StockOut             Marketplace  "product" [All];

    // Requests.
    "order.created"           OrderCreated         Orders       "order"   [System];
    "order.change_requested"  OrderChangeRequested Orders       "order"   [System];
    "order.cancel_requested"  OrderCancelRequested Orders       "order"   [System];
    "order.shipped"           OrderShipped         Orders       "order"   [System];
    // News.
    "order.updated"           OrderUpdated         Orders       "order"   [Users];
    "order.cancelled"         OrderCancelled       Orders       "order"   [Users];
    // Outcomes.
    "order.settled"           OrderSettled         Marketplace  "order"   [System];
    "order.refused"           OrderRefused         Marketplace  "order"   [System];
    "order.changed"           OrderChanged         Marketplace  "order"   [System];
    "order.change_refused"    OrderChangeRefused   Marketplace  "order"   [System];
    "order.refunded"          OrderRefunded        Marketplace  "order"   [System];

    "channel.created"         ChannelCreated       Discourse    "channel" [All, Channel];
    "channel.updated"         ChannelUpdated       Discourse    "channel" [All, Channel];
    "channel.deleted"         ChannelDeleted       Discourse    "channel" [All, Channel];
    "member.added"            MemberAdded          Discourse    "channel" [Channel];
    "member.removed"          MemberRemoved        Discourse    "channel" [Channel];
    "post.created"            PostCreated          Discourse    "post"    [All, Channel];
    "post.updated"            PostUpdated          Discourse    "post"    [All, Channel];
    "post.deleted"            PostDeleted          Discourse    "post"    [All, Channel];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

//! The contract: messages, clients and servers generated from `capsim/*/v1/*.proto`, and what stands beside them.
//!
//! | to find | look in |
//! |---|---|
//! | messages, clients, servers of a service | [`accounts`], [`marketplace`], [`discourse`], [`feed`] |
//! | the words of its enums, as JSON and the stores have them | its module `words`, and [`words`] |
//! | the code of each error, its kind and its meaning | [`errors`] |
//! | times | [`time`] |
//!
//! The `.proto` files are the documentation; `FILE_DESCRIPTOR_SET` carries them, comments included, to reflection.

pub mod errors;
pub mod time;
pub mod words;

/// `capsim.accounts.v1`
pub mod accounts {
    tonic::include_proto!("capsim.accounts.v1");

    /// The enums as words.
    pub mod words {
        include!(concat!(env!("OUT_DIR"), "/capsim.accounts.v1.words.rs"));
    }
}

/// `capsim.marketplace.v1`
pub mod marketplace {
    tonic::include_proto!("capsim.marketplace.v1");

    /// The enums as words.
    pub mod words {
        include!(concat!(env!("OUT_DIR"), "/capsim.marketplace.v1.words.rs"));
    }
}

/// `capsim.discourse.v1`
pub mod discourse {
    tonic::include_proto!("capsim.discourse.v1");

    /// The enums as words.
    pub mod words {
        include!(concat!(env!("OUT_DIR"), "/capsim.discourse.v1.words.rs"));
    }
}

/// `capsim.events.v1`: the data of events, which is JSON (`serde`, in protobuf's mapping).
pub mod events {
    tonic::include_proto!("capsim.events.v1");
    include!(concat!(env!("OUT_DIR"), "/capsim.events.v1.serde.rs"));
}

/// `capsim.feed.v1`
pub mod feed {
    tonic::include_proto!("capsim.feed.v1");
}

/// Encoded `google.protobuf.FileDescriptorSet` of all packages and what they import.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/capsim.bin"));

//! The gRPC contract: messages, clients and servers generated from `capsim/*/v1/*.proto`.
//!
//! The `.proto` files are the documentation; `FILE_DESCRIPTOR_SET` carries them, comments included, to reflection.

pub mod time;

/// `capsim.accounts.v1`
pub mod accounts {
    tonic::include_proto!("capsim.accounts.v1");
}

/// `capsim.marketplace.v1`
pub mod marketplace {
    tonic::include_proto!("capsim.marketplace.v1");
}

/// `capsim.discourse.v1`
pub mod discourse {
    tonic::include_proto!("capsim.discourse.v1");
}

/// `capsim.events.v1`: the data of events, which is JSON (`serde`, in protobuf's mapping).
pub mod events {
    tonic::include_proto!("capsim.events.v1");
    include!(concat!(env!("OUT_DIR"), "/capsim.events.v1.serde.rs"));
}

/// Encoded `google.protobuf.FileDescriptorSet` of all packages and what they import.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/capsim.bin"));

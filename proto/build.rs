//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 9] = [
    "capsim/accounts/v1/accounts.proto",
    "capsim/marketplace/v1/marketplace.proto",
    "capsim/discourse/v1/discourse.proto",
    "capsim/events/v1/accounts.proto",
    "capsim/events/v1/discourse.proto",
    "capsim/events/v1/items.proto",
    "capsim/events/v1/money.proto",
    "capsim/events/v1/orders.proto",
    "capsim/events/v1/products.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=capsim");
    // With source info, so that reflection serves the comments too.
    let descriptors = protox::Compiler::new(["."])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let encoded = descriptors.encode_to_vec();
    // Events are JSON. Fields that a later version has added are no reason not to read them.
    pbjson_build::Builder::new()
        .register_descriptors(&encoded)?
        .ignore_unknown_fields()
        .build(&[".capsim.events.v1"])?;
    fs::write(out.join("capsim.bin"), encoded)?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

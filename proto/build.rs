//! Compiles the `.proto` files with protox, so that no `protoc` is needed, and makes the words of their enums.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

use prost::Message;
use prost_types::{EnumDescriptorProto, FileDescriptorProto};

const FILES: [&str; 10] = [
    "capsim/accounts/v1/accounts.proto",
    "capsim/marketplace/v1/marketplace.proto",
    "capsim/discourse/v1/discourse.proto",
    "capsim/events/v1/accounts.proto",
    "capsim/events/v1/discourse.proto",
    "capsim/events/v1/items.proto",
    "capsim/events/v1/money.proto",
    "capsim/events/v1/orders.proto",
    "capsim/events/v1/products.proto",
    "capsim/feed/v1/feed.proto",
];

/// The enum whose words stand in the kernel, with what a `.proto` cannot say of them.
const IN_KERNEL: &str = "Currency";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=capsim");
    // With source info, so that reflection serves the comments too.
    let descriptors = protox::Compiler::new(["."])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for file in descriptors.file.iter().filter(|file| file.package().starts_with("capsim.")) {
        fs::write(out.join(format!("{}.words.rs", file.package())), words(file)?)?;
    }
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

/// The enums of a file without their UNSPECIFIED: `CHANNEL_TYPE_PUBLIC` of `ChannelType` is `Public`, in words `public`.
fn words(file: &FileDescriptorProto) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for (index, of) in (0..).zip(&file.enum_type) {
        let name = of.name();
        let values = values(of)?;
        if name == IN_KERNEL {
            writeln!(code, "pub use kernel::{name};")?;
        } else {
            // Field 5 of a file are its enums, field 2 of an enum its values: the path of a comment in the source info.
            writeln!(code, "kernel::words! {{ #[doc = {:?}] {name} {{", comment(file, &[5, index]))?;
            for (number, variant, word) in &values {
                match comment(file, &[5, index, 2, *number]).as_str() {
                    "" => writeln!(code, "{variant} = {word:?},")?,
                    doc => writeln!(code, "#[doc = {doc:?}] {variant} = {word:?},")?,
                }
            }
            writeln!(code, "}} }}")?;
        }
        let variants: Vec<_> = values.into_iter().map(|(_, variant, _)| variant).collect();
        writeln!(code, "crate::words::numbered! {{ {name}: super::{name} {{ {} }} }}", variants.join(", "))?;
    }
    Ok(code)
}

/// A value of an enum: its place there, the name of its variant, its word.
type Value = (i32, String, String);

/// All values but UNSPECIFIED.
fn values(of: &EnumDescriptorProto) -> Result<Vec<Value>, Box<dyn Error>> {
    let prefix = of.name().char_indices().fold(String::new(), |prefix, (place, letter)| {
        let between = if letter.is_ascii_uppercase() && place > 0 { "_" } else { "" };
        prefix + between + &letter.to_ascii_uppercase().to_string()
    }) + "_";
    let mut values = Vec::new();
    for (place, value) in (0..).zip(&of.value) {
        let name =
            value.name().strip_prefix(&prefix).ok_or_else(|| format!("{} has to begin with {prefix}", value.name()))?;
        if value.number() == 0 {
            if name != "UNSPECIFIED" {
                return Err(format!("{}: 0 has to be {prefix}UNSPECIFIED", of.name()).into());
            }
            continue;
        }
        let variant = name.split('_').map(|part| part[..1].to_owned() + &part[1..].to_ascii_lowercase()).collect();
        let word = match name.strip_suffix("_DESC") {
            // As the order of a list is asked for: `-price`.
            Some(name) => format!("-{}", name.to_ascii_lowercase()),
            None => name.to_ascii_lowercase(),
        };
        values.push((place, variant, word));
    }
    Ok(values)
}

/// What stands before a declaration, in one line.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let mut found = locations.filter(|location| location.path == path).map(|location| location.leading_comments());
    found.next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

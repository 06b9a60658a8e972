//! `docs/events.md`, the catalogue and the protos say the same.

use std::{collections::BTreeSet, fs};

use events::{Kind, audience::Scope};
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet};
use serde_json::Value;

fn documentation() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md")).expect("docs/events.md")
}

/// The messages of `capsim.events.v1`.
fn messages() -> Vec<DescriptorProto> {
    let files = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).expect("descriptors").file;
    files.into_iter().filter(|file| file.package() == "capsim.events.v1").flat_map(|file| file.message_type).collect()
}

fn message(name: &str) -> DescriptorProto {
    messages().into_iter().find(|message| message.name() == name).unwrap_or_else(|| panic!("no message {name}"))
}

/// The JSON below a type's heading.
fn example(documentation: &str, kind: Kind) -> Value {
    let (_, section) =
        documentation.split_once(&format!("\n### {kind}\n")).unwrap_or_else(|| panic!("no section {kind}"));
    let section = section.split("\n### ").next().expect("a section");
    let (_, json) = section.split_once("```json\n").unwrap_or_else(|| panic!("no example of {kind}"));
    serde_json::from_str(json.split("\n```").next().expect("an example"))
        .unwrap_or_else(|error| panic!("{kind}: {error}"))
}

#[test]
fn every_type_has_its_line_in_the_documentation_and_no_other_has() {
    let documentation = documentation();
    let word = |scope: &Scope| match scope {
        Scope::All => "all",
        Scope::Users => "users",
        Scope::Channel => "channel",
        Scope::System => "system",
    };
    for kind in Kind::ALL {
        let scopes: Vec<_> = kind.scopes().iter().map(word).collect();
        let (source, scopes) = (kind.source().path().trim_start_matches('/'), scopes.join(", "));
        let line = format!("| `{kind}` | {source} | {} | {scopes} | `{}` |", kind.subject(), kind.message());
        assert!(documentation.lines().any(|its| its == line), "docs/events.md lacks\n{line}");
    }
    let sections = documentation.lines().filter(|line| line.starts_with("### ")).count();
    assert_eq!(sections, Kind::ALL.len(), "an example for each type, and for nothing else");
}

#[test]
fn every_type_has_an_example_that_is_its_data_with_every_field() {
    let documentation = documentation();
    for kind in Kind::ALL {
        let example = example(&documentation, *kind);
        let again = kind.rewrite(&example.to_string()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(serde_json::from_str::<Value>(&again).expect("JSON"), example, "{kind}: what is not in its message");
        let fields =
            message(kind.message()).field.iter().map(|field| field.json_name().to_owned()).collect::<BTreeSet<_>>();
        let shown = example.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(fields, shown, "{kind}");
    }
}

#[test]
fn every_message_is_the_data_of_one_type_or_a_part_of_others() {
    let messages = messages();
    let parts: BTreeSet<_> = messages
        .iter()
        .flat_map(|message| &message.field)
        .filter_map(|field| field.type_name().rsplit('.').next().map(str::to_owned))
        .collect();
    let kinds: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.message().to_owned()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "a message each");
    for message in &messages {
        assert!(kinds.contains(message.name()) || parts.contains(message.name()), "{} is for nothing", message.name());
    }
    let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len(), "a name each");
    assert!(Kind::ALL.iter().all(|kind| kind.name().parse() == Ok(*kind)));
}

#[test]
fn the_event_in_the_documentation_is_one() {
    let documentation = documentation();
    let (_, json) = documentation.split_once("```json\n").expect("an event");
    let event = events::Event::from_json(json.split("\n```").next().expect("an event").as_bytes()).expect("an event");
    assert_eq!((event.known(), event.sequence), (Some(Kind::ItemSold), Some(1041)));
    event.data::<proto::events::ItemSold>().expect("of this type").expect("its data");
}

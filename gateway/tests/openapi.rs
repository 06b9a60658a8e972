//! What is written down of the gateway's doors, held against the code.

use std::{collections::BTreeMap, env, fs, path::Path};

use proto::errors;
use runtime::status::{code, status_of};

/// Holds a file of `docs/` against what the code makes of it, or renews it where `RENEW` is set.
fn hold(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if env::var_os("RENEW").is_some() {
        fs::write(&path, now).expect("writes");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(now.lines()).position(|(kept, now)| kept != now);
    assert!(kept.trim_end() == now.trim_end(), "docs/{name} differs, first in line {line:?}: `make openapi` renews it");
}

/// The file is what reviewers read, and what the web UI's types are made from.
#[test]
fn the_description_in_docs_is_up_to_date() {
    hold("openapi.json", &(gateway::openapi().to_pretty_json().expect("json") + "\n"));
}

/// A handler that names none of the catalogue would silently be left out.
#[test]
fn every_code_is_answered_by_an_operation_or_by_none_for_a_reason() {
    // Where there is no route, and for statuses that no code of ours made.
    let without_operation = [
        errors::ROUTE_NOT_FOUND,
        errors::METHOD_NOT_ALLOWED,
        errors::UNAUTHENTICATED,
        errors::PERMISSION_DENIED,
        errors::NOT_FOUND,
        errors::CONFLICT,
        errors::RESOURCE_EXHAUSTED,
        errors::UNIMPLEMENTED,
    ];
    let api = gateway::openapi().to_json().expect("json");
    for code in errors::ALL {
        let is_answered = api.contains(&format!("`{}`", code.as_str()));
        assert_ne!(is_answered, without_operation.contains(code), "{}", code.as_str());
    }
    assert!(!api.contains("x-refusals"));
}

#[test]
fn the_table_of_errors_in_docs_is_up_to_date() {
    let mut by_status = BTreeMap::<u16, Vec<String>>::new();
    for error in errors::ALL {
        let http = status_of(error).as_u16();
        let grpc = format!("{:?}", code(error.kind()));
        let meaning = error.meaning().replace('<', "\\<");
        let line = format!("| {http} | `{}` | {grpc} | {meaning} |", error.as_str());
        by_status.entry(http).or_default().push(line);
    }
    let lines: Vec<_> = by_status.into_values().flatten().collect();
    hold("errors.md", &format!("{ABOUT}\n{}\n", lines.join("\n")));
}

const ABOUT: &str = "\
# Errors

An error is a problem by RFC 9457 whose `code` is one of these words; over gRPC the word is the `reason` of
`google.rpc.ErrorInfo`. A code never changes its meaning, and its detail is for people and may. Which operation can answer
with which is in [openapi.json](openapi.json). This table is made from `proto/src/errors.rs` by `make openapi`.

| HTTP | code | kind, as in gRPC | the detail, as it may read |
|---|---|---|---|";

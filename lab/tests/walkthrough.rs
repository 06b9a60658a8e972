//! What the walkthrough says of a new service is what the services that are there needed.

use std::{fs, path::Path};

use lab::catalogue::SERVICES;

/// Text of a file of the repository.
fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_file_that_a_new_service_touches_names_every_service() {
    let walkthrough = text("docs/walkthrough.md");
    let (_, section) = walkthrough.split_once("## A new service").expect("there");
    let (section, _) = section.split_once("\n## ").expect("another one follows");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let files: Vec<_> = rows.flat_map(|(files, _)| files.split(", ")).map(|file| file.trim_matches('`')).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = text(file);
        for service in SERVICES {
            assert!(text.contains(service.name()), "{file} does not say anything of {}", service.name());
        }
    }
}

#[test]
fn ports_are_the_same_wherever_they_are_written_down() {
    let [compose, prometheus, readme, gateway] =
        ["compose/docker-compose.yml", "prometheus/prometheus.yml", "README.md", "gateway/src/config.rs"].map(text);
    for service in SERVICES {
        let name = service.name();
        for (instance, port) in service.instances().zip(service.ports) {
            assert!(compose.contains(&format!("INSTANCE_ID: {instance}, PORT: {port}")), "compose: {instance}");
            assert!(compose.contains(&format!("{instance}:{port}")), "compose, the gateway's replicas: {instance}");
            assert!(prometheus.contains(&format!("\"{instance}:{port}\"")), "prometheus: {instance}");
            assert!(gateway.contains(&format!("127.0.0.1:{port}")), "the gateway's replicas: {instance}");
        }
        let ports: Vec<_> = service.ports.iter().map(u16::to_string).collect();
        let (first, last) = (&ports[0], &ports[ports.len() - 1]);
        assert!(readme.contains(&format!("| `localhost:{first}` – `{last}` | {name} replicas")), "README: {name}");
    }
}

//! What is printed once everything runs.

use std::fmt::Write;

use crate::System;

/// A short table of what is where, and a call to try.
pub(crate) fn text(system: &System) -> String {
    let gateway = system.gateway;
    let mut text = format!("\n  capsim runs; its data is in {}\n\n", system.data_dir.path().display());
    let mut row = |what: &str, place: String| {
        let _ = writeln!(text, "  {what:<14} {place}");
    };
    row("Web UI", format!("http://{}", system.web));
    row("Swagger UI", format!("http://{gateway}/docs"));
    row("REST API", format!("http://{gateway}    /status /metrics /openapi.json"));
    for (instance, address) in &system.replicas {
        row(instance, format!("{address}    gRPC, reflection; http /status /metrics"));
    }
    if let Some(password) = &system.admin {
        row("First admin", format!("admin, password {password} (shown once; kept in admin_password beside the data)"));
    }
    let _ = write!(
        text,
        "\n  Try it:\n\n  \
         curl -s {gateway}/auth/register -H 'content-type: application/json' -d '{{\"username\":\"ada\",\"password\":\"correct horse\"}}'\n\n  \
         Or fill it with people, listings and posts to look at:  capsim seed --gateway http://{gateway}\n\n  \
         The README has the whole tour. Ctrl-C stops.\n\n"
    );
    text
}

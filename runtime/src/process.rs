//! CPU and memory of this process, under the names that Prometheus' own clients give them.
//!
//! Read from `/proc`; where there is none the metrics are absent. (The collector of the `prometheus` crate counts CPU in
//! whole seconds, too coarse for a rate over a minute.)

use std::fs;

use opentelemetry::metrics::Meter;

/// Kernel ticks a second as `/proc` shows them: USER_HZ, 100 on every architecture that Rust has Linux for but Alpha.
const TICKS: f64 = 100.0;

/// Reports `process_cpu_seconds_total` and `process_resident_memory_bytes`, read at each scrape.
pub(crate) fn report(meter: &Meter) {
    meter
        .f64_observable_counter("process_cpu_seconds")
        .with_description("User and system CPU time of the process")
        .with_callback(|observer| {
            if let Some(seconds) = file("stat").and_then(|stat| cpu_seconds(&stat)) {
                observer.observe(seconds, &[]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("process_resident_memory_bytes")
        .with_description("Memory of the process that is in RAM")
        .with_callback(|observer| {
            if let Some(bytes) = file("status").and_then(|status| resident_bytes(&status)) {
                observer.observe(bytes, &[]);
            }
        })
        .build();
}

fn file(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// Fields 14 and 15 of proc_pid_stat(5). The second is the program's name, which may have spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

/// The line `VmRSS:   1234 kB` of proc_pid_status(5).
fn resident_bytes(status: &str) -> Option<u64> {
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    Some(kilobytes.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 9 0 1000 2000 300";
        assert_eq!(cpu_seconds(stat), Some(1.75));
        assert_eq!(cpu_seconds("42 (cut off) S 1 42"), None);
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t   20480 kB\nRssAnon:\t 1 kB\n"), Some(20 * 1024 * 1024));
        assert_eq!(resident_bytes("Name:\tzombie\n"), None);
    }
}

//! What a process was built without.

/// A setting asks for something that this build does not have: a driver, or where traces go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} is set, but this program was built without {what}: `cargo build --release --package capsim --features full` \
     builds it with all it can have"
)]
pub struct NotBuiltIn {
    /// The variable with the setting.
    pub variable: &'static str,
    /// What it asks for.
    pub what: &'static str,
}

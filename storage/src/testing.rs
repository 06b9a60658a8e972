//! What tests of stores share.

/// The words that a schema lets into a column, by its `CHECK (column IN ('…', …))`; none where it has no such check.
pub fn checked_words<'s>(schema: &'s str, table: &str, column: &str) -> Vec<&'s str> {
    let Some((_, table)) = schema.split_once(&format!("CREATE TABLE {table} (")) else { return Vec::new() };
    let table = table.split("CREATE TABLE").next().unwrap_or_default();
    let Some((_, check)) = table.split_once(&format!("CHECK ({column} IN")) else { return Vec::new() };
    let check = check.split("))").next().unwrap_or_default();
    check.split('\'').skip(1).step_by(2).collect()
}

//! Tags: words that things are found by.

use std::{collections::HashSet, ops::RangeInclusive};

use crate::validate::Violations;

/// Characters of a tag.
pub const LENGTH: RangeInclusive<usize> = 1..=50;
/// That one thing has at most.
pub const MOST: usize = 20;

/// The field `tags`: each trimmed, repeats dropped, in the order given.
pub fn read(given: Vec<String>, violations: &mut Violations) -> Vec<String> {
    if given.len() > MOST {
        violations.add("tags", format!("must be at most {MOST}"));
        return Vec::new();
    }
    let mut seen = HashSet::with_capacity(given.len());
    let mut tags = Vec::with_capacity(given.len());
    for (index, tag) in given.iter().enumerate() {
        let tag = violations.text(format!("tags[{index}]"), tag, LENGTH);
        if seen.insert(tag.clone()) {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let mut violations = Violations::default();
        let tags = read(given.iter().map(|&tag| tag.to_owned()).collect(), &mut violations);
        violations
            .into_result()
            .map(|()| tags)
            .map_err(|error| error.violations().iter().map(|v| format!("{}: {}", v.field, v.message)).collect())
    }

    #[test]
    fn tags_are_trimmed_and_unique_and_keep_their_order() {
        assert_eq!(check(&["b", " a ", "b", "a", "A"]), Ok(vec!["b".to_owned(), "a".to_owned(), "A".to_owned()]));
        assert_eq!(check(&[]), Ok(vec![]));
    }

    #[test]
    fn tags_have_limits_at_the_edge_and_one_past_it() {
        let names: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(check(&names[..20]).map(|tags| tags.len()), Ok(20));
        assert_eq!(check(&names), Err(vec!["tags: must be at most 20".to_owned()]));
        assert!(check(&["ä".repeat(50).as_str()]).is_ok());
        assert_eq!(
            check(&["fine", " ", "ä".repeat(51).as_str()]),
            Err(vec!["tags[1]: is required".to_owned(), "tags[2]: must have 1 to 50 characters".to_owned()])
        );
    }
}

//! Paging: `page` from 1, `limit` from 1 to 100.

use crate::validate::Violations;

/// A page that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub page: u32,
    /// Entries a page, 1 to 100.
    pub limit: u32,
}

/// Where a page stands in the whole result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageInfo {
    pub page: u32,
    pub limit: u32,
    /// Matches on all pages.
    pub total: u64,
    /// Number of pages; 0 when nothing matches.
    pub pages: u64,
}

impl Page {
    /// What `limit` is where it is left out.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// The most entries of a page.
    pub const MAX_LIMIT: u32 = 100;

    /// Checks what a caller asked for; what is left out is the first page of 20.
    pub fn parse(page: Option<u32>, limit: Option<u32>, violations: &mut Violations) -> Self {
        let (page, limit) = (page.unwrap_or(1), limit.unwrap_or(Self::DEFAULT_LIMIT));
        if page == 0 {
            violations.add("page", "must be 1 or more");
        }
        if !(1..=Self::MAX_LIMIT).contains(&limit) {
            violations.add("limit", "must be 1 to 100");
        }
        Self { page, limit }
    }

    /// How many entries come before this page.
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.limit)
    }

    /// This page in a result of `total` entries.
    pub fn of(self, total: u64) -> PageInfo {
        let Self { page, limit } = self;
        PageInfo { page, limit, total, pages: total.div_ceil(u64::from(limit)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(page: u32, limit: u32) -> bool {
        let mut violations = Violations::default();
        Page::parse(Some(page), Some(limit), &mut violations);
        violations.into_result().is_ok()
    }

    #[test]
    fn limits_hold_at_the_edge_and_one_past_it() {
        assert!(parse(1, 1) && parse(1, 100) && parse(u32::MAX, 100));
        assert!(!parse(0, 1) && !parse(1, 0) && !parse(1, 101));
    }

    #[test]
    fn the_last_page_may_be_short() {
        let page = Page { page: 2, limit: 20 };
        assert_eq!(page.offset(), 20);
        assert_eq!((page.of(0).pages, page.of(20).pages, page.of(21).pages), (0, 1, 2));
        assert!(Page { page: u32::MAX, limit: 100 }.offset() > 0);
    }
}

//! Where a page stands in the whole result.

use proto::{discourse, feed, marketplace};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a page stands in the whole result.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pagination {
    #[schema(example = 1, format = Int64, minimum = 1)]
    page: u32,
    #[schema(example = 20, minimum = 1, maximum = 100)]
    limit: u32,
    /// Matches on all pages.
    #[schema(example = 42)]
    total: u64,
    /// Number of pages; 0 when nothing matches.
    #[schema(example = 3)]
    pages: u64,
}

impl From<marketplace::Pagination> for Pagination {
    fn from(marketplace::Pagination { page, limit, total, pages }: marketplace::Pagination) -> Self {
        Self { page, limit, total, pages }
    }
}

impl From<discourse::Pagination> for Pagination {
    fn from(discourse::Pagination { page, limit, total, pages }: discourse::Pagination) -> Self {
        Self { page, limit, total, pages }
    }
}

impl From<feed::Pagination> for Pagination {
    fn from(feed::Pagination { page, limit, total, pages }: feed::Pagination) -> Self {
        Self { page, limit, total, pages }
    }
}

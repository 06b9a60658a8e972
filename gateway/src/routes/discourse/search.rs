//! `/discourse/posts`.

use axum::response::Response;
use proto::discourse as rpc;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    channel::ChannelId,
    post::{Post, Topic},
};
use crate::{
    cache::{Key, Tag, Viewer},
    call::Call,
    error::Problem,
    extract::{Query, parsed, whole_number},
    routes::{State, page::Pagination},
};

/// Which posts there are, of whatever channel.
pub(super) const POSTS: Tag = Tag::all("posts");

/// Which posts. Each filter that is left out matches everything.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct FindPosts {
    /// UUID of an author.
    #[param(format = "uuid")]
    author: Option<String>,
    /// Only posts of this topic.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    topic: Option<Topic>,
    /// Id of a channel.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<i64>, minimum = 1)]
    channel_id: Option<ChannelId>,
    /// One of the tags, to the letter.
    #[param(max_length = 50)]
    tag: Option<String>,
    /// Words, all of which the title or the content must have, whole and without regard to case.
    #[param(max_length = 200)]
    q: Option<String>,
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// A page of posts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PostList {
    posts: Vec<Post>,
    pagination: Pagination,
}

impl TryFrom<rpc::ListPostsResponse> for PostList {
    type Error = Problem;

    fn try_from(list: rpc::ListPostsResponse) -> Result<Self, Problem> {
        let posts = list.posts.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
        Ok(Self { posts, pagination: list.pagination.unwrap_or_default().into() })
    }
}

/// Find posts
///
/// Those of all channels that you may read. A page has at most 256 KiB: the longest posts are cut until all fit, and say
/// `isExcerpt`; `GET` of the post has all of it.
#[utoipa::path(
    get, path = "/discourse/posts", tag = "discourse", params(FindPosts), security(("bearer" = [])),
    responses(
        (status = OK, description = "A page of posts, newest first", body = PostList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    )
)]
pub(crate) async fn list_posts(app: State, call: Call, Query(query): Query<FindPosts>) -> Result<Response, Problem> {
    const ROUTE: &str = "/discourse/posts";
    let key = Key::get(ROUTE, ROUTE, &query, Viewer::Only(call.claims.sub), vec![POSTS]);
    let load = || {
        let FindPosts { author, topic, channel_id, tag, q, page, limit } = query;
        let (topic, channel_id) = (topic.map(i32::from), channel_id.map(|ChannelId(id)| id));
        let request = call.repeatable(rpc::ListPostsRequest { author, topic, channel_id, tag, q, page, limit });
        let mut client = app.discourse();
        async move { PostList::try_from(client.list_posts(request).await?.into_inner()) }
    };
    app.cache.read(&call, key, load).await
}

//! Protobuf to the domain and back; requests are checked on the way, all violations at once.

use kernel::{
    Error, Page, PageInfo,
    excerpt::{self, Measure, json_bytes},
    validate::Violations,
};
use proto::{
    discourse as pb, time,
    words::{self, Numbered as _},
};
use storage::idempotency::Key;
use uuid::Uuid;

use crate::{
    channel::{Channel, ChannelList, ChannelPage, ChannelQuery, ChannelType, NewChannel, PostQuery},
    post::{NewPost, Post},
};

pub(crate) fn channel_query(request: pb::ListChannelsRequest) -> Result<ChannelQuery, Error> {
    let mut violations = Violations::default();
    let query = ChannelQuery {
        kind: request.r#type.and_then(|number| words::read("type", number, &mut violations)),
        zone: request.zone.map(|zone| violations.text("zone", &zone, 0..=100)).filter(|zone| !zone.is_empty()),
        created_by: request
            .created_by
            .and_then(|id| violations.ok("created_by", Uuid::try_parse(&id).map_err(|_| "must be a UUID"))),
        page: Page::parse(request.page, request.limit, &mut violations),
    };
    violations.into_result()?;
    Ok(query)
}

pub(crate) fn post_query(request: pb::GetChannelRequest) -> Result<PostQuery, Error> {
    let mut violations = Violations::default();
    if request.id < 1 {
        violations.add("id", "must be 1 or more");
    }
    let query = PostQuery {
        channel_id: request.id,
        topic: request.topic.and_then(|number| words::read("topic", number, &mut violations)),
        page: Page::parse(request.page, request.limit, &mut violations),
    };
    violations.into_result()?;
    Ok(query)
}

pub(crate) fn new_channel(request: pb::CreateChannelRequest) -> Result<(NewChannel, Option<Key>), Error> {
    let mut violations = Violations::default();
    let kind = words::read("type", request.r#type, &mut violations).unwrap_or(ChannelType::Public);
    let channel = NewChannel::new(&request.name, &request.description, kind, &request.zone, &mut violations);
    let key = key(request.idempotency_key, &mut violations);
    violations.into_result()?;
    Ok((channel, key))
}

pub(crate) fn new_post(request: pb::CreatePostRequest) -> Result<(NewPost, Option<Key>), Error> {
    let mut violations = Violations::default();
    let topic = words::read("topic", request.topic, &mut violations);
    let pb::CreatePostRequest { channel_id, title, content, is_pinned, idempotency_key, .. } = request;
    let post = NewPost::new(channel_id, &title, &content, topic, is_pinned, &mut violations);
    let key = key(idempotency_key, &mut violations);
    violations.into_result()?;
    Ok((post, key))
}

fn key(key: Option<String>, violations: &mut Violations) -> Option<Key> {
    key.and_then(|key| violations.ok("idempotency_key", key.parse()))
}

pub(crate) fn channel_list(list: ChannelList) -> pb::ListChannelsResponse {
    let mut channels: Vec<_> = list.channels.into_iter().map(to_channel).collect();
    excerpt::fit(&mut channels, channel_bytes, cut_channel);
    pb::ListChannelsResponse { channels, pagination: Some(to_pagination(list.info)) }
}

pub(crate) fn channel_page(page: ChannelPage) -> pb::GetChannelResponse {
    let mut posts: Vec<_> = page.posts.into_iter().map(to_post).collect();
    excerpt::fit(&mut posts, post_bytes, cut_post);
    pb::GetChannelResponse {
        channel: Some(to_channel(page.channel)),
        posts,
        posts_pagination: Some(to_pagination(page.info)),
    }
}

pub(crate) fn created_channel(channel: Channel) -> pb::CreateChannelResponse {
    pb::CreateChannelResponse { channel: Some(to_channel(channel)) }
}

pub(crate) fn created_post(post: Post) -> pb::CreatePostResponse {
    pb::CreatePostResponse { post: Some(to_post(post)) }
}

fn to_channel(channel: Channel) -> pb::Channel {
    pb::Channel {
        id: channel.id,
        name: channel.name,
        description: channel.description,
        r#type: channel.kind.number(),
        zone: channel.zone,
        created_by: channel.created_by.to_string(),
        created_at: Some(time::to_proto(channel.created_at)),
        updated_at: Some(time::to_proto(channel.updated_at)),
        is_excerpt: false,
    }
}

/// Bytes of an entry as JSON but for its texts, its numbers, ids and times at their longest.
const FRAME: usize = 350;

fn channel_bytes(channel: &pb::Channel, measure: Measure) -> usize {
    FRAME + measure(&channel.name) + measure(&channel.description) + measure(&channel.zone)
}

fn cut_channel(channel: &mut pb::Channel, bytes: usize) {
    let excess = channel_bytes(channel, json_bytes).saturating_sub(bytes);
    let description = json_bytes(&channel.description).saturating_sub(excess);
    excerpt::truncate(&mut channel.description, description);
    channel.is_excerpt = true;
}

fn post_bytes(post: &pb::Post, measure: Measure) -> usize {
    FRAME + measure(&post.title) + measure(&post.content)
}

/// The content first, then the title.
fn cut_post(post: &mut pb::Post, bytes: usize) {
    let excess = post_bytes(post, json_bytes).saturating_sub(bytes);
    let content = json_bytes(&post.content).saturating_sub(excess);
    excerpt::truncate(&mut post.content, content);
    let excess = post_bytes(post, json_bytes).saturating_sub(bytes);
    let title = json_bytes(&post.title).saturating_sub(excess);
    excerpt::truncate(&mut post.title, title);
    post.is_excerpt = true;
}

fn to_post(post: Post) -> pb::Post {
    pb::Post {
        id: post.id,
        channel_id: post.channel_id,
        author_id: post.author_id.to_string(),
        title: post.title,
        content: post.content,
        topic: post.topic.number(),
        is_pinned: post.is_pinned,
        created_at: Some(time::to_proto(post.created_at)),
        updated_at: Some(time::to_proto(post.updated_at)),
        is_excerpt: false,
    }
}

fn to_pagination(PageInfo { page, limit, total, pages }: PageInfo) -> pb::Pagination {
    pb::Pagination { page, limit, total, pages }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<T: std::fmt::Debug>(refused: Result<T, Error>) -> Vec<String> {
        refused.expect_err("refused").violations().iter().map(|violation| violation.field.to_string()).collect()
    }

    #[test]
    fn all_violations_of_a_request_are_named() {
        let query = pb::ListChannelsRequest {
            r#type: Some(9),
            zone: Some("z".repeat(101)),
            created_by: Some("me".to_owned()),
            page: Some(0),
            limit: Some(101),
        };
        assert_eq!(fields(channel_query(query)), ["type", "zone", "created_by", "page", "limit"]);
        let query = pb::GetChannelRequest { id: 0, topic: Some(-1), page: None, limit: Some(0) };
        assert_eq!(fields(post_query(query)), ["id", "topic", "limit"]);
        let idempotency_key = Some("k".repeat(256));
        let channel =
            pb::CreateChannelRequest { r#type: 4, idempotency_key: idempotency_key.clone(), ..Default::default() };
        assert_eq!(fields(new_channel(channel)), ["type", "name", "idempotency_key"]);
        let post = pb::CreatePostRequest { topic: 5, idempotency_key, ..Default::default() };
        assert_eq!(fields(new_post(post)), ["topic", "channel_id", "content", "idempotency_key"]);
    }

    #[test]
    fn what_is_unspecified_has_its_default() {
        let query = pb::ListChannelsRequest { r#type: Some(0), zone: Some(" ".to_owned()), ..Default::default() };
        let query = channel_query(query).expect("accepted");
        assert_eq!((query.kind, query.zone, query.page), (None, None, Page { page: 1, limit: 20 }));
        let channel = pb::CreateChannelRequest { name: "agora".to_owned(), ..Default::default() };
        assert_eq!(new_channel(channel).expect("accepted").0.kind, ChannelType::Public);
    }

    #[test]
    fn a_page_of_the_longest_posts_is_cut_and_one_post_is_whole() {
        let post = pb::Post { title: "\u{1}".repeat(500), content: "𝄞".repeat(20_000), ..Default::default() };
        let mut posts = vec![post.clone(); 100];
        posts[7].content = "short".to_owned();
        posts[7].title.clear();
        excerpt::fit(&mut posts, post_bytes, cut_post);
        assert!(posts.iter().map(|post| post_bytes(post, json_bytes)).sum::<usize>() <= excerpt::PAGE_BYTES);
        assert!(posts[0].is_excerpt && !posts[7].is_excerpt && posts[7].content == "short");
        let mut one = vec![post.clone()];
        excerpt::fit(&mut one, post_bytes, cut_post);
        assert_eq!(one, [post]);
    }

    #[test]
    fn a_page_of_the_longest_channels_is_cut() {
        let longest = |count| "\u{1}".repeat(count);
        let channel =
            pb::Channel { name: longest(255), description: longest(5000), zone: longest(100), ..Default::default() };
        let mut channels = vec![channel; 100];
        excerpt::fit(&mut channels, channel_bytes, cut_channel);
        // Names and zones are never cut.
        assert!(channels.iter().map(|channel| channel_bytes(channel, json_bytes)).sum::<usize>() < 256 * 1024);
        assert!(channels.iter().all(|channel| channel.is_excerpt && channel.name.len() == 255));
    }
}

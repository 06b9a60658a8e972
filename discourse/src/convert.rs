//! Protobuf to the domain and back; requests are checked on the way, all violations at once.

use kernel::{Error, Page, PageInfo, validate::Violations, word::UnknownWord};
use proto::{discourse as pb, time};
use uuid::Uuid;

use crate::{
    channel::{Channel, ChannelList, ChannelPage, ChannelQuery, ChannelType, NewChannel, PostQuery},
    post::{NewPost, Post},
    topic::Topic,
};

pub(crate) fn channel_query(request: pb::ListChannelsRequest) -> Result<ChannelQuery, Error> {
    let mut violations = Violations::default();
    let query = ChannelQuery {
        kind: request.r#type.and_then(|number| channel_type(number, &mut violations)),
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
        topic: request.topic.and_then(|number| topic(number, &mut violations)),
        page: Page::parse(request.page, request.limit, &mut violations),
    };
    violations.into_result()?;
    Ok(query)
}

pub(crate) fn new_channel(request: pb::CreateChannelRequest) -> Result<NewChannel, Error> {
    let mut violations = Violations::default();
    let kind = channel_type(request.r#type, &mut violations).unwrap_or(ChannelType::Public);
    let channel = NewChannel::new(&request.name, &request.description, kind, &request.zone, &mut violations);
    violations.into_result()?;
    Ok(channel)
}

pub(crate) fn new_post(request: pb::CreatePostRequest) -> Result<NewPost, Error> {
    let mut violations = Violations::default();
    let topic = topic(request.topic, &mut violations);
    let pb::CreatePostRequest { channel_id, title, content, is_pinned, .. } = request;
    let post = NewPost::new(channel_id, &title, &content, topic, is_pinned, &mut violations);
    violations.into_result()?;
    Ok(post)
}

pub(crate) fn channel_list(list: ChannelList) -> pb::ListChannelsResponse {
    pb::ListChannelsResponse {
        channels: list.channels.into_iter().map(to_channel).collect(),
        pagination: Some(to_pagination(list.info)),
    }
}

pub(crate) fn channel_page(page: ChannelPage) -> pb::GetChannelResponse {
    pb::GetChannelResponse {
        channel: Some(to_channel(page.channel)),
        posts: page.posts.into_iter().map(to_post).collect(),
        posts_pagination: Some(to_pagination(page.info)),
    }
}

pub(crate) fn created_channel(channel: Channel) -> pb::CreateChannelResponse {
    pb::CreateChannelResponse { channel: Some(to_channel(channel)) }
}

pub(crate) fn created_post(post: Post) -> pb::CreatePostResponse {
    pb::CreatePostResponse { post: Some(to_post(post)) }
}

/// `None` where it is unspecified.
fn channel_type(number: i32, violations: &mut Violations) -> Option<ChannelType> {
    match violations.variant("type", number, UnknownWord(ChannelType::WORDS))? {
        pb::ChannelType::Unspecified => None,
        pb::ChannelType::Public => Some(ChannelType::Public),
        pb::ChannelType::Private => Some(ChannelType::Private),
        pb::ChannelType::Sovereign => Some(ChannelType::Sovereign),
    }
}

/// `None` where it is unspecified.
fn topic(number: i32, violations: &mut Violations) -> Option<Topic> {
    match violations.variant("topic", number, UnknownWord(Topic::WORDS))? {
        pb::Topic::Unspecified => None,
        pb::Topic::Economic => Some(Topic::Economic),
        pb::Topic::Philosophical => Some(Topic::Philosophical),
        pb::Topic::Strategic => Some(Topic::Strategic),
        pb::Topic::General => Some(Topic::General),
    }
}

fn to_channel(channel: Channel) -> pb::Channel {
    let kind = match channel.kind {
        ChannelType::Public => pb::ChannelType::Public,
        ChannelType::Private => pb::ChannelType::Private,
        ChannelType::Sovereign => pb::ChannelType::Sovereign,
    };
    pb::Channel {
        id: channel.id,
        name: channel.name,
        description: channel.description,
        r#type: kind.into(),
        zone: channel.zone,
        created_by: channel.created_by.to_string(),
        created_at: Some(time::to_proto(channel.created_at)),
        updated_at: Some(time::to_proto(channel.updated_at)),
    }
}

fn to_post(post: Post) -> pb::Post {
    let topic = match post.topic {
        Topic::Economic => pb::Topic::Economic,
        Topic::Philosophical => pb::Topic::Philosophical,
        Topic::Strategic => pb::Topic::Strategic,
        Topic::General => pb::Topic::General,
    };
    pb::Post {
        id: post.id,
        channel_id: post.channel_id,
        author_id: post.author_id.to_string(),
        title: post.title,
        content: post.content,
        topic: topic.into(),
        is_pinned: post.is_pinned,
        created_at: Some(time::to_proto(post.created_at)),
        updated_at: Some(time::to_proto(post.updated_at)),
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
        let channel = pb::CreateChannelRequest { r#type: 4, ..Default::default() };
        assert_eq!(fields(new_channel(channel)), ["type", "name"]);
        let post = pb::CreatePostRequest { topic: 5, ..Default::default() };
        assert_eq!(fields(new_post(post)), ["topic", "channel_id", "content"]);
    }

    #[test]
    fn what_is_unspecified_has_its_default() {
        let query = pb::ListChannelsRequest { r#type: Some(0), zone: Some(" ".to_owned()), ..Default::default() };
        let query = channel_query(query).expect("accepted");
        assert_eq!((query.kind, query.zone, query.page), (None, None, Page { page: 1, limit: 20 }));
        let channel = pb::CreateChannelRequest { name: "agora".to_owned(), ..Default::default() };
        assert_eq!(new_channel(channel).expect("accepted").kind, ChannelType::Public);
    }
}

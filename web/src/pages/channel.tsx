import {
  Anchor,
  Box,
  Button,
  Chip,
  Group,
  Paper,
  Select,
  Stack,
  Switch,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { IconArrowLeft, IconLock, IconMessage, IconMessageOff, IconPinned } from '@tabler/icons-react';
import { keepPreviousData } from '@tanstack/react-query';
import { Link, useParams, useSearchParams } from 'react-router';
import { ApiError } from '../api/problem';
import { type Channel, channel, type Post, type PostFilter, type Schemas, useCreatePost } from '../api/queries';
import { useRead } from '../api/reading';
import { CHANNEL_FILTERS, listFilters } from '../channel-filter';
import { focusFirstError, showAtFields } from '../components/field-errors';
import { Paging } from '../components/paging';
import { Person } from '../components/person';
import { Empty, Failure, Lines } from '../components/states';
import { When } from '../components/when';
import { CHANNEL_TYPE_WORDS, keysOf, Mark, TOPIC_WORDS, ZoneMark } from '../components/words';
import { useDraftForm } from '../draft-form';
import { useMe } from '../session';
import { lengthProblem, optionalLengthProblem } from '../text';
import { read } from '../url-filter';

const PER_PAGE = 20;

export function ChannelPage() {
  const { id = '' } = useParams();
  const [url, setUrl] = useSearchParams();
  const { topic, postsPage = 1 } = read(url, CHANNEL_FILTERS);
  const filter: PostFilter = {
    topic,
    page: postsPage,
    limit: PER_PAGE,
  };
  const number = Number(id);
  const { data, failure, tryAgain } = useRead({
    ...channel(number, filter),
    enabled: Number.isSafeInteger(number),
    // Of the same channel only: another one's posts would be a lie.
    placeholderData: (before, query) => (query?.queryKey[1] === number ? keepPreviousData(before) : undefined),
  });
  const set = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(url);
    next.delete('postsPage');
    for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
    setUrl(next, { replace: true });
  };

  const missing = (
    <Paper className="surface">
      <Empty icon={IconMessageOff} title="There is no such channel" action={<Back />}>
        <title>Not found · capsim</title>
        The address may be mistyped. Choose another channel, or open one.
      </Empty>
    </Paper>
  );
  if (!Number.isSafeInteger(number)) return missing;
  if (failure instanceof ApiError && failure.status === 403) {
    return (
      <Paper className="surface">
        <Empty icon={IconLock} title="This channel is private" action={<Back />}>
          Only its owner can read it.
        </Empty>
      </Paper>
    );
  }
  if (failure instanceof ApiError && [400, 404].includes(failure.status)) return missing;
  if (failure) return <Failure error={failure} retry={tryAgain} />;
  if (!data) {
    return (
      <Paper className="surface" p="xl">
        <Lines count={8} />
      </Paper>
    );
  }
  return (
    <Stack gap="md">
      <title>{`${data.name} · capsim`}</title>
      <Box hiddenFrom="md">
        <Back />
      </Box>
      <Paper className="surface" p={{ base: 'md', sm: 'lg' }}>
        <Group gap={6} mb={6}>
          <Mark word={CHANNEL_TYPE_WORDS[data.type]} />
          <ZoneMark zone={data.zone} />
        </Group>
        <Title order={2} fz={26} className="clamp" dir="auto">
          {data.name}
        </Title>
        {data.description && (
          <Text c="dimmed" mt={4} className="prose" dir="auto">
            {data.description}
          </Text>
        )}
        <Group gap={8} mt="sm" fz="sm">
          <Person id={data.createdBy} />
          <Text component="span" fz="sm" c="dimmed">
            opened it <When time={data.createdAt} />
          </Text>
        </Group>
      </Paper>
      <Composer key={data.id} channel={data} />
      <Chip.Group value={filter.topic ?? ''} onChange={(topic) => set({ topic: topic as string })}>
        <Group gap="xs" role="group" aria-label="Topic">
          <Chip value="" size="sm" variant="outline">
            All topics
          </Chip>
          {keysOf(TOPIC_WORDS).map((topic) => (
            <Chip key={topic} value={topic} size="sm" variant="outline">
              {TOPIC_WORDS[topic].label}
            </Chip>
          ))}
        </Group>
      </Chip.Group>
      {data.posts.length === 0 ? (
        <Paper className="surface">
          <Empty icon={IconMessage} title={filter.topic ? 'Nothing on this topic' : 'Silence, so far'}>
            {filter.topic ? 'Choose another topic, or be the first to raise it.' : 'The first post is the hardest.'}
          </Empty>
        </Paper>
      ) : (
        <Stack gap="sm" component="ol" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Posts">
          {data.posts.map((post) => (
            <li key={post.id}>
              <PostCard post={post} />
            </li>
          ))}
        </Stack>
      )}
      {data.posts.length > 0 && (
        <Paging
          of={data.postsPagination}
          what={['post', 'posts']}
          onPage={(page) => set({ postsPage: String(page) })}
        />
      )}
    </Stack>
  );
}

function Back() {
  const [url] = useSearchParams();
  return (
    <Anchor component={Link} to={{ pathname: '/discourse', search: `${listFilters(url)}` }} c="dimmed" fz="sm">
      <Group gap={6} component="span" display="inline-flex">
        <IconArrowLeft size={16} aria-hidden /> All channels
      </Group>
    </Anchor>
  );
}

function PostCard({ post }: { post: Post }) {
  return (
    <Paper className="surface" p={{ base: 'md', sm: 'lg' }} component="article" data-pinned={post.isPinned}>
      <Group justify="space-between" gap="xs" mb={8} fz="sm">
        <Person id={post.authorId} />
        <Group gap={8}>
          {post.isPinned && <Mark word={{ label: 'Pinned', tone: 'gold', icon: IconPinned }} />}
          <Mark word={TOPIC_WORDS[post.topic]} />
          <When time={post.createdAt} />
        </Group>
      </Group>
      {post.title && (
        <Title order={3} fz={18} mb={4} className="clamp" dir="auto">
          {post.title}
        </Title>
      )}
      <Text className="prose" lh={1.6} dir="auto">
        {post.content}
      </Text>
    </Paper>
  );
}

interface PostForm extends Record<string, unknown> {
  title: string;
  content: string;
  topic: Schemas['Topic'] | null;
  isPinned: boolean;
}

const EMPTY: PostForm = { title: '', content: '', topic: null, isPinned: false };

function Composer({ channel }: { channel: Channel }) {
  const isOwner = useMe().userId === channel.createdBy;
  const create = useCreatePost();
  const { form, isBegun, clear } = useDraftForm(`post.${channel.id}`, EMPTY, {
    title: (title) => optionalLengthProblem(title, 500),
    content: (content) => lengthProblem(content, 20_000),
  });
  if (channel.type === 'sovereign' && !isOwner) {
    return (
      <Text fz="sm" c="dimmed" className="sunk" p="md">
        A sovereign channel: everybody reads, only its owner posts.
      </Text>
    );
  }
  const submit = form.onSubmit(
    ({ topic, ...post }) =>
      create
        .mutateAsync({ ...post, topic: topic ?? undefined, channelId: channel.id })
        .then(clear, (error) => void showAtFields(form, error)),
    focusFirstError,
  );
  return (
    <Paper className="surface" p={{ base: 'md', sm: 'lg' }}>
      <form onSubmit={submit} noValidate aria-label="New post">
        <Stack gap="sm">
          {create.error && Object.keys(form.errors).length === 0 && <Failure error={create.error} />}
          <Textarea
            aria-label="Your post"
            placeholder="Say something in this channel"
            autosize
            minRows={isBegun ? 3 : 1}
            maxRows={20}
            {...form.getInputProps('content')}
          />
          {isBegun && (
            <>
              <TextInput aria-label="Title" placeholder="Title, if it needs one" {...form.getInputProps('title')} />
              <Group justify="space-between" gap="sm">
                <Group gap="md">
                  <Select
                    aria-label="Topic of the post"
                    placeholder="Topic: from its words"
                    clearable
                    w={220}
                    data={keysOf(TOPIC_WORDS).map((value) => ({ value, label: TOPIC_WORDS[value].label }))}
                    {...form.getInputProps('topic')}
                  />
                  {isOwner && <Switch label="Pin it" {...form.getInputProps('isPinned', { type: 'checkbox' })} />}
                </Group>
                <Button type="submit" loading={create.isPending}>
                  Post
                </Button>
              </Group>
            </>
          )}
        </Stack>
      </form>
    </Paper>
  );
}

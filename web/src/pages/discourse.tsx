// The channels, beside the one that is open.
import { Box, Button, Grid, Group, Paper, Select, Stack, Switch, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMessagePlus, IconMessages, IconPlus } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { NavLink, Outlet, useParams, useSearchParams } from 'react-router';
import { type ChannelFilter, channels, type Schemas } from '../api/queries';
import { NewChannelDialog } from '../components/new-channel-dialog';
import { PageHead } from '../components/page';
import { Paging } from '../components/paging';
import { Empty, Failure, Lines } from '../components/states';
import { CHANNEL_TYPE_WORDS, keysOf } from '../components/words';
import { pageNumber } from '../page-number';
import { useMe } from '../session';

const PER_PAGE = 20;

export function DiscoursePage() {
  const { id } = useParams();
  const me = useMe();
  const [url, setUrl] = useSearchParams();
  const [isCreating, dialog] = useDisclosure(false);
  const type = keysOf(CHANNEL_TYPE_WORDS).find((known) => known === url.get('type'));
  const filter: ChannelFilter = {
    type: type as Schemas['ChannelType'] | undefined,
    zone: url.get('zone') ?? undefined,
    createdBy: url.get('mine') === 'true' ? me.userId : undefined,
    page: pageNumber(url.get('page')),
    limit: PER_PAGE,
  };
  const { data, error, refetch } = useQuery({ ...channels(filter), placeholderData: keepPreviousData });
  // The zones there are: of the newest channels, as the API has no list of them.
  const { data: newest } = useQuery(channels({ limit: 100 }));
  const zones = new Set(newest?.channels.map(({ zone }) => zone).filter(Boolean));
  if (filter.zone) zones.add(filter.zone);

  const set = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(url);
    for (const name of ['page', 'postsPage']) next.delete(name);
    for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
    setUrl(next, { replace: true });
  };
  // The list's filters go along from channel to channel, what is filtered inside of one does not.
  const listOnly = new URLSearchParams([...url].filter(([name]) => ['type', 'zone', 'mine', 'page'].includes(name)));
  const isNarrowed = Boolean(type || filter.zone || filter.createdBy);

  return (
    <>
      <Box visibleFrom={id ? 'md' : undefined}>
        <PageHead
          title="Discourse"
          action={
            <Button onClick={dialog.open} leftSection={<IconPlus size={17} aria-hidden />}>
              Open a channel
            </Button>
          }
        >
          Where the market argues
        </PageHead>
      </Box>
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 4 }} visibleFrom={id ? 'md' : undefined}>
          <Paper className="surface" p="sm" component="section" aria-label="Channels">
            <Group gap="xs" grow mb="xs">
              <Select
                aria-label="Type"
                placeholder="Any type"
                clearable
                size="sm"
                value={type ?? null}
                onChange={(type) => set({ type })}
                data={keysOf(CHANNEL_TYPE_WORDS).map((value) => ({ value, label: CHANNEL_TYPE_WORDS[value].label }))}
              />
              <Select
                aria-label="Zone"
                placeholder="Any zone"
                clearable
                searchable
                size="sm"
                value={filter.zone ?? null}
                onChange={(zone) => set({ zone })}
                data={[...zones].sort()}
              />
            </Group>
            <Switch
              label="Opened by me"
              size="sm"
              px={4}
              mb="sm"
              checked={Boolean(filter.createdBy)}
              onChange={(event) => set({ mine: event.currentTarget.checked ? 'true' : null })}
            />
            {error && !data ? (
              <Failure error={error} retry={refetch} />
            ) : !data ? (
              <Box p="sm">
                <Lines count={6} />
              </Box>
            ) : data.channels.length === 0 ? (
              <Empty
                icon={IconMessages}
                title={isNarrowed ? 'No such channel' : 'Nobody has spoken yet'}
                action={
                  isNarrowed ? (
                    <Button variant="default" onClick={() => set({ type: null, zone: null, mine: null })} mt="xs">
                      Show all channels
                    </Button>
                  ) : (
                    <Button onClick={dialog.open} mt="xs">
                      Open a channel
                    </Button>
                  )
                }
              >
                {isNarrowed ? 'None meets these filters.' : 'Open the first channel and say what you think.'}
              </Empty>
            ) : (
              <Stack gap={2} component="ul" m={0} p={0} style={{ listStyle: 'none' }}>
                {data.channels.map((channel) => (
                  <li key={channel.id}>
                    <NavLink
                      to={{ pathname: `/discourse/${channel.id}`, search: listOnly.toString() }}
                      className="channel"
                    >
                      <ChannelLine channel={channel} />
                    </NavLink>
                  </li>
                ))}
              </Stack>
            )}
            {data && data.channels.length > 0 && (
              <Box px="xs">
                <Paging
                  of={data.pagination}
                  what={['channel', 'channels']}
                  onPage={(page) => set({ page: String(page) })}
                />
              </Box>
            )}
          </Paper>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 8 }} visibleFrom={id ? undefined : 'md'}>
          {id ? (
            <Outlet />
          ) : (
            <Paper className="surface">
              <Empty icon={IconMessagePlus} title="Choose a channel">
                Public ones are for everybody, in sovereign ones only the owner speaks, private ones only their owner
                sees.
              </Empty>
            </Paper>
          )}
        </Grid.Col>
      </Grid>
      <NewChannelDialog isOpen={isCreating} onClose={dialog.close} />
    </>
  );
}

function ChannelLine({ channel }: { channel: Schemas['Channel'] }) {
  const { icon: Sign, label } = CHANNEL_TYPE_WORDS[channel.type];
  return (
    <>
      <Group gap={8} wrap="nowrap">
        <Sign size={16} stroke={1.8} aria-hidden />
        <Text component="span" fw={600} fz="sm" truncate flex={1}>
          {channel.name}
        </Text>
        <Text component="span" fz="xs" c="dimmed">
          {channel.zone || label.toLowerCase()}
        </Text>
      </Group>
      {channel.description && (
        <Text component="span" display="block" fz="sm" c="dimmed" truncate pl={24}>
          {channel.description}
        </Text>
      )}
      <VisuallyHidden>{label} channel</VisuallyHidden>
    </>
  );
}

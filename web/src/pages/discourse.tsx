// The channels, beside the one that is open.
import { Box, Button, Grid, Group, Paper, Select, Stack, Switch, Text, VisuallyHidden } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconMessagePlus, IconMessages, IconPlus } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { NavLink, Outlet, useParams } from 'react-router';
import { type ChannelFilter, channels, type Schemas } from '../api/queries';
import { useRead } from '../api/reading';
import { CHANNEL_FILTERS, listFilters } from '../channel-filter';
import { NewChannelDialog } from '../components/new-channel-dialog';
import { Dropped } from '../components/notices';
import { PageHead } from '../components/page';
import { Paging } from '../components/paging';
import { Empty, Failure, Lines } from '../components/states';
import { CHANNEL_TYPE_WORDS, keysOf } from '../components/words';
import { useMe } from '../session';
import { read, useFilters } from '../url-filter';

const PER_PAGE = 20;

export function DiscoursePage() {
  const { id } = useParams();
  const me = useMe();
  const { url, setUrl, dropped, forget } = useFilters(CHANNEL_FILTERS);
  const { type, zone, mine, page = 1, open } = read(url, CHANNEL_FILTERS);
  const filter: ChannelFilter = { type, zone, createdBy: mine && me.userId, page, limit: PER_PAGE };
  const { data, failure, tryAgain } = useRead({ ...channels(filter), placeholderData: keepPreviousData });
  // The zones there are, for who looks for one: of the newest channels, as the API has no list of them.
  const [wantsZones, { open: askForZones }] = useDisclosure(false);
  const { data: newest } = useQuery({ ...channels({ limit: 100 }), enabled: wantsZones });
  const zones = new Set(newest?.channels.map(({ zone }) => zone).filter(Boolean));
  if (zone) zones.add(zone);

  const set = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(url);
    for (const name of ['page', 'postsPage']) next.delete(name);
    for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
    setUrl(next, { replace: true });
  };
  // In the URL, so that who had to log in meanwhile finds it open.
  const show = (isOpen: boolean) => {
    const next = new URLSearchParams(url);
    isOpen ? next.set('open', 'channel') : next.delete('open');
    setUrl(next, { replace: true });
  };
  const isNarrowed = Boolean(type || zone || mine);

  return (
    <>
      <Box visibleFrom={id ? 'md' : undefined}>
        <PageHead
          title="Discourse"
          action={
            <Button onClick={() => show(true)} leftSection={<IconPlus size={17} aria-hidden />}>
              Open a channel
            </Button>
          }
        >
          Where the market argues
        </PageHead>
      </Box>
      <Dropped words={dropped} onClose={forget} />
      <Grid gap="lg">
        {/* What is read stays where it is on the screen when posts come above it: not these. */}
        <Grid.Col
          span={{ base: 12, md: 4 }}
          visibleFrom={id ? 'md' : undefined}
          style={{ overflowAnchor: id ? 'none' : undefined }}
        >
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
                value={zone ?? null}
                onChange={(zone) => set({ zone })}
                onFocus={askForZones}
                data={[...zones].sort()}
              />
            </Group>
            <Switch
              label="Opened by me"
              size="sm"
              px={4}
              mb="sm"
              checked={mine ?? false}
              onChange={(event) => set({ mine: event.currentTarget.checked ? 'true' : null })}
            />
            {failure ? (
              <Failure error={failure} retry={tryAgain} />
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
                    <Button onClick={() => show(true)} mt="xs">
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
                      to={{ pathname: `/discourse/${channel.id}`, search: `${listFilters(url)}` }}
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
      <NewChannelDialog isOpen={open === 'channel'} onClose={() => show(false)} />
    </>
  );
}

function ChannelLine({ channel }: { channel: Schemas['Channel'] }) {
  const { icon: Sign, label } = CHANNEL_TYPE_WORDS[channel.type];
  return (
    <>
      <Group gap={8} wrap="nowrap">
        <Sign size={16} stroke={1.8} aria-hidden />
        <Text component="span" fw={600} fz="sm" truncate flex={1} dir="auto">
          {channel.name}
        </Text>
        <Text component="span" fz="xs" c="dimmed" truncate maw="40%" dir="auto">
          {channel.zone || label.toLowerCase()}
        </Text>
      </Group>
      {channel.description && (
        <Text component="span" display="block" fz="sm" c="dimmed" truncate ml={24} dir="auto">
          {channel.description}
        </Text>
      )}
      <VisuallyHidden>{label} channel</VisuallyHidden>
    </>
  );
}

// What happens, as it happens.
import { Group, Paper, Select, Stack } from '@mantine/core';
import { useInterval } from '@mantine/hooks';
import { IconActivity } from '@tabler/icons-react';
import { keepPreviousData } from '@tanstack/react-query';
import { useReducer, useRef } from 'react';
import { ACTIVITY_FILTERS } from '../activity-filter';
import { type Activity, type ActivityFilter, activities } from '../api/queries';
import { useRead } from '../api/reading';
import { ActivityLine } from '../components/activity-line';
import { LiveMark } from '../components/live-mark';
import { Dropped } from '../components/notices';
import { PageHead } from '../components/page';
import { Paging } from '../components/paging';
import { Empty, Failure, Lines } from '../components/states';
import { ACTIVITY_WORDS, keysOf } from '../components/words';
import { useLiveness } from '../live/live';
import { useSession } from '../session';
import { read, useFilters } from '../url-filter';

const PER_PAGE = 25;
/** Milliseconds between two looks while it is not live. */
const LOOK = 5_000;
/** Milliseconds after which what is told of times is not true any more. */
const AGING = 30_000;

export function ActivityPage() {
  const isLive = useLiveness() === 'live';
  const isInside = useSession() !== null;
  const { url, setUrl, dropped, forget } = useFilters(ACTIVITY_FILTERS);
  const { type, page = 1 } = read(url, ACTIVITY_FILTERS);
  const filter: ActivityFilter = { type, page, limit: PER_PAGE };
  const { data, isPlaceholderData, failure, tryAgain } = useRead({
    ...activities(filter),
    placeholderData: keepPreviousData,
    refetchInterval: isInside && isLive ? false : LOOK,
  });
  const [, age] = useReducer((times: number) => times + 1, 0);
  useInterval(age, AGING, { autoInvoke: true });
  // What came while one looked shows itself.
  const newest = useRef<number>(undefined);
  newest.current ??= data?.activities[0]?.number ?? undefined;
  const isFresh = ({ number }: Activity) => (number ?? 0) > (newest.current ?? Number.POSITIVE_INFINITY);
  const set = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(url);
    next.delete('page');
    for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
    setUrl(next, { replace: true });
  };

  return (
    <>
      <PageHead title="Activity" action={<LiveMark />}>
        What everybody does here, as it happens
      </PageHead>
      <Dropped words={dropped} onClose={forget} />
      <Group mb="md">
        <Select
          aria-label="What happened"
          placeholder="Everything"
          clearable
          searchable
          w={240}
          value={type ?? null}
          onChange={(type) => set({ type })}
          data={keysOf(ACTIVITY_WORDS).map((value) => ({ value, label: ACTIVITY_WORDS[value].label }))}
        />
      </Group>
      {failure ? (
        <Failure error={failure} retry={tryAgain} />
      ) : !data ? (
        <Paper className="surface" p="xl">
          <Lines count={8} />
        </Paper>
      ) : data.activities.length === 0 ? (
        <Paper className="surface">
          <Empty icon={IconActivity} title={type ? 'Nothing of this kind' : 'Nothing happened yet'}>
            It shows up here by itself as soon as somebody does something.
          </Empty>
        </Paper>
      ) : (
        <Paper className="surface" px="md" py="xs" opacity={isPlaceholderData ? 0.6 : 1} aria-busy={isPlaceholderData}>
          <Stack gap={0} component="ol" m={0} p={0} style={{ listStyle: 'none' }} aria-label="What happened">
            {data.activities.map((activity) => (
              <li key={activity.id} className="activity" data-fresh={isFresh(activity)}>
                <ActivityLine activity={activity} />
              </li>
            ))}
          </Stack>
        </Paper>
      )}
      {data && data.activities.length > 0 && (
        <Paging of={data.pagination} what={['event', 'events']} onPage={(page) => set({ page: String(page) })} />
      )}
    </>
  );
}

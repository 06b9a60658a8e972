import { Anchor, Group, Text } from '@mantine/core';
import { Link, useLocation } from 'react-router';
import { useLiveness } from '../live/live';
import type { Liveness } from '../live/stream';
import { useSession } from '../session';

const SENTENCES: Record<Liveness, string> = {
  connecting: 'Connecting…',
  live: 'Live',
  away: 'Not live: read every few seconds, until it is again',
};

/** Whether what one sees comes as it happens. */
export function LiveMark() {
  const liveness = useLiveness();
  const { pathname, search } = useLocation();
  const isInside = useSession() !== null;
  return (
    <Group gap={8} role="status" wrap="nowrap">
      {isInside && liveness !== 'connecting' && <span className="dot" data-up={liveness === 'live'} />}
      <Text fz="sm">
        {isInside ? (
          SENTENCES[liveness]
        ) : (
          <>
            Read every few seconds.{' '}
            <Anchor component={Link} to="/login" state={{ from: pathname + search }} className="link" fz="inherit">
              Log in
            </Anchor>{' '}
            to see it live
          </>
        )}
      </Text>
    </Group>
  );
}

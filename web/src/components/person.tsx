import { Avatar, Group, Skeleton, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { username } from '../api/queries';
import { useSession } from '../session';

/** White stands out on each of them. */
const TONES = ['#2f6f5e', '#7a5c12', '#3d5a80', '#6b4a78', '#8a4b3c', '#4b6b3a', '#5b5f97', '#7b3f5c'];

/** One colour a user, the same everywhere. */
function toneOf(id: string): string {
  return TONES[Number.parseInt(id.slice(0, 4), 16) % TONES.length] ?? '#2f6f5e';
}

/** What to call a user; undefined while it is asked for. */
export function usePersonName(id: string): string | undefined {
  const me = useSession();
  const { data, isError } = useQuery({ ...username(id), enabled: id !== me?.userId });
  if (id === me?.userId) return me.username;
  // Nobody known has this id, or the answer is none.
  return data === null || isError ? `user ${id.slice(0, 6)}` : data;
}

export function PersonAvatar({ id, name, size = 'sm' }: { id: string; name: string; size?: 'sm' | 'md' }) {
  return (
    <Avatar size={size} color={toneOf(id)} variant="filled" aria-hidden>
      {name.slice(0, 1).toUpperCase()}
    </Avatar>
  );
}

export function Person({ id }: { id: string }) {
  const name = usePersonName(id);
  const isMe = useSession()?.userId === id;
  return (
    <Group gap={8} wrap="nowrap" component="span" display="inline-flex" miw={0} maw="100%">
      <PersonAvatar id={id} name={name ?? ''} />
      {name === undefined ? (
        <Skeleton component="span" display="inline-block" width={90} height={14} />
      ) : (
        <Text component="span" fz="inherit" fw={550} truncate dir="auto" title={`${name} ${id}`}>
          {name}
        </Text>
      )}
      {isMe && (
        <Text component="span" fz="inherit" c="dimmed" style={{ flex: 'none' }}>
          (you)
        </Text>
      )}
    </Group>
  );
}

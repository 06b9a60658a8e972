import { Avatar, Group, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { username } from '../api/queries';
import { useMe } from '../session';

const TONES = ['pine', 'brass', 'indigo', 'grape', 'cyan', 'orange', 'violet', 'teal'];

/** One colour a user, the same everywhere. */
function toneOf(id: string): string {
  return TONES[Number.parseInt(id.slice(0, 4), 16) % TONES.length] ?? 'pine';
}

/** What to call a user: the name where the API tells it, else the start of the id. */
export function usePersonName(id: string): string {
  const me = useMe();
  const { data } = useQuery({ ...username(id, useQueryClient()), enabled: id !== me.userId });
  return id === me.userId ? me.username : (data ?? `trader ${id.slice(0, 6)}`);
}

export function PersonAvatar({ id, name, size = 'sm' }: { id: string; name: string; size?: 'sm' | 'md' }) {
  return (
    <Avatar size={size} color={toneOf(id)} variant="filled" autoContrast aria-hidden>
      {name.slice(0, 1).toUpperCase()}
    </Avatar>
  );
}

export function Person({ id }: { id: string }) {
  const name = usePersonName(id);
  const isMe = useMe().userId === id;
  return (
    <Group gap={8} wrap="nowrap" component="span" display="inline-flex">
      <PersonAvatar id={id} name={name} />
      <Text component="span" fz="inherit" fw={550} truncate title={id}>
        {name}
        {isMe && (
          <Text component="span" fz="inherit" c="dimmed" fw={400}>
            {' '}
            (you)
          </Text>
        )}
      </Text>
    </Group>
  );
}

import { Avatar, Group, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { username } from '../api/queries';
import { useMe } from '../session';

/** White stands out on each of them. */
const TONES = ['#2f6f5e', '#7a5c12', '#3d5a80', '#6b4a78', '#8a4b3c', '#4b6b3a', '#5b5f97', '#7b3f5c'];

/** One colour a user, the same everywhere. */
function toneOf(id: string): string {
  return TONES[Number.parseInt(id.slice(0, 4), 16) % TONES.length] ?? '#2f6f5e';
}

/** What to call a user: the name where the API tells it, else the start of the id. */
export function usePersonName(id: string): string {
  const me = useMe();
  const { data } = useQuery({ ...username(id, useQueryClient()), enabled: id !== me.userId });
  return id === me.userId ? me.username : (data ?? `trader ${id.slice(0, 6)}`);
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
  const isMe = useMe().userId === id;
  return (
    <Group gap={8} wrap="nowrap" component="span" display="inline-flex" miw={0} maw="100%">
      <PersonAvatar id={id} name={name} />
      <Text component="span" fz="inherit" fw={550} truncate dir="auto" title={`${name} ${id}`}>
        {name}
      </Text>
      {isMe && (
        <Text component="span" fz="inherit" c="dimmed" style={{ flex: 'none' }}>
          (you)
        </Text>
      )}
    </Group>
  );
}

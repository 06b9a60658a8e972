// What a view shows when it has nothing yet, nothing at all, or only an error.
import { Alert, Button, Center, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ComponentType, ReactNode } from 'react';
import { ApiError, explain } from '../api/problem';

/** Nothing here, and what to do about it. */
export function Empty({
  icon: Icon,
  title,
  children,
  action,
}: {
  icon: ComponentType<{ size?: number; stroke?: number }>;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <Center py={48} px="md">
      <Stack align="center" gap="xs" maw={400} ta="center">
        <Text c="dimmed" component="span" aria-hidden>
          <Icon size={40} stroke={1.3} />
        </Text>
        <Title order={2} fz="h4">
          {title}
        </Title>
        <Text c="dimmed" fz="sm">
          {children}
        </Text>
        {action}
      </Stack>
    </Center>
  );
}

/** What went wrong, with a way to try again at once where there is one. */
export function Failure({
  error,
  message = explain(error),
  retry,
}: {
  error?: unknown;
  message?: string;
  retry?: () => void;
}) {
  return (
    <Alert color="red" variant="outline" icon={<IconAlertTriangle size={18} />} role="alert" bg="var(--surface)">
      <Stack gap="xs" align="flex-start">
        <Text fz="sm">
          {message}
          {retry && error instanceof ApiError && error.isPassing && ' This page keeps trying.'}
        </Text>
        {retry && (
          <Button size="compact-sm" variant="default" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Grey lines where text will be. */
export function Lines({ count = 3 }: { count?: number }) {
  return (
    <Stack gap="sm" aria-busy aria-label="Loading" role="status">
      {Array.from({ length: count }, (_, line) => (
        <Skeleton key={line} height={14} width={`${[92, 78, 85, 60][line % 4]}%`} />
      ))}
    </Stack>
  );
}

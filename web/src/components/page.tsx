import { Box, Group, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

/** The head of a page: its title, what it is, and what one can do. */
export function PageHead({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" gap="sm" mb="lg">
      <title>{`${title} · capsim`}</title>
      <Box>
        <Title order={1} fz={{ base: 26, sm: 30 }} lh={1.2}>
          {title}
        </Title>
        {children && (
          <Text c="dimmed" mt={4}>
            {children}
          </Text>
        )}
      </Box>
      {action}
    </Group>
  );
}

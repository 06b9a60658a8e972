// The frame of login and register.
import { Box, Container, Grid, Group, List, Paper, Stack, Text, Title } from '@mantine/core';
import { IconCoins, IconHeartbeat, IconMessages } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { Brand, SchemeToggle } from '../layout';
import { useSession } from '../session';

const REASONS = [
  { icon: IconCoins, text: 'Trade with exact money in four currencies: your wallet is filled when you arrive.' },
  { icon: IconMessages, text: 'Argue in channels: public, private, or your own to rule.' },
  {
    icon: IconHeartbeat,
    text: 'Watch the distributed system below: nine replicas, live. Stop one, and go on trading.',
  },
];

/** Where the person wanted to go before the login, and with what. */
function useDestination(): { to: string; state?: unknown } {
  const { from, state } = useLocation().state ?? {};
  return typeof from === 'string' && from.startsWith('/') ? { to: from, state } : { to: '/marketplace' };
}

export function Entrance({ title, children }: { title: string; children: ReactNode }) {
  const destination = useDestination();
  if (useSession()) return <Navigate {...destination} replace />;
  return (
    <Container size={1000} py={{ base: 'md', sm: 'xl' }}>
      <title>{`${title} · capsim`}</title>
      <Group justify="space-between" component="header" mb={{ base: 'xl', sm: 64 }}>
        <Brand />
        <SchemeToggle />
      </Group>
      <Grid component="main" gap={{ base: 32, sm: 64 }} align="center">
        <Grid.Col span={{ base: 12, sm: 6 }} order={{ base: 2, sm: 1 }}>
          <Stack gap="lg">
            <Box>
              <Text component="p" ff="heading" fz={{ base: 26, sm: 34 }} fw={600} lh={1.2} m={0}>
                A market economy that one can run, watch, break and measure
              </Text>
            </Box>
            <List spacing="md" listStyleType="none" center={false} p={0}>
              {REASONS.map(({ icon: Icon, text }) => (
                <List.Item key={text} icon={<Icon size={22} stroke={1.6} color="var(--accent)" aria-hidden />}>
                  <Text c="dimmed">{text}</Text>
                </List.Item>
              ))}
            </List>
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, sm: 6 }} order={{ base: 1, sm: 2 }}>
          <Paper className="surface" p={{ base: 'lg', sm: 32 }}>
            <Title order={1} fz={24} mb="md">
              {title}
            </Title>
            {children}
          </Paper>
        </Grid.Col>
      </Grid>
    </Container>
  );
}

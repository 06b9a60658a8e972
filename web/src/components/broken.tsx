// What stands where a page should be.
import { Button, Center, Group, Stack, Text, Title } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useLocation, useNavigate } from 'react-router';
import { useIsWaiting } from '../arrival';

/** A page that failed. It is tried again, or one goes elsewhere: neither costs what the other pages hold. */
export function Broken() {
  const client = useQueryClient();
  const location = useLocation();
  const navigate = useNavigate();
  const again = () => {
    // What was read may be why.
    client.clear();
    navigate(location, { replace: true, state: location.state });
  };
  return (
    <Center mih="50vh" p="md">
      <Stack align="center" maw={440} ta="center">
        <title>This page broke · capsim</title>
        <Title order={1} fz={26}>
          This page broke
        </Title>
        <Text c="dimmed">That is our mistake, or the UI was updated meanwhile. Nothing of yours is lost.</Text>
        <Group justify="center">
          <Button onClick={again}>Try again</Button>
          <Button variant="default" onClick={() => window.location.reload()}>
            Reload
          </Button>
          <Button variant="default" component={Link} to="/marketplace">
            To the marketplace
          </Button>
        </Group>
      </Stack>
    </Center>
  );
}

/** Before the first page is there: nothing, but where the server keeps it. */
export function OnItsWay() {
  const isWaiting = useIsWaiting();
  return (
    <Center mih="60vh" p="md" component="main">
      <Text c="dimmed" role="status">
        {isWaiting && 'The server does not answer. This page opens as soon as it does.'}
      </Text>
    </Center>
  );
}

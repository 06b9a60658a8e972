import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { Link } from 'react-router';
import { Empty } from '../components/states';

export function NotFoundPage() {
  return (
    <Empty
      icon={IconMapOff}
      title="There is nothing here"
      action={
        <Button component={Link} to="/marketplace" mt="xs">
          To the marketplace
        </Button>
      }
    >
      <title>Not found · capsim</title>
      The address may be mistyped, or what was here has gone.
    </Empty>
  );
}

// What concerns oneself, in the head of every page.
import { ActionIcon, Button, Group, Indicator, Popover, ScrollArea, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconBell } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useLocation } from 'react-router';
import { notifications, useMarkRead } from '../api/queries';
import { useRead } from '../api/reading';
import { ActivityLine } from './activity-line';
import { Failure, Lines } from './states';

/** The largest count that is told to the digit. */
const COUNTED = 99;

export function NotificationsMenu() {
  const { data, failure, tryAgain } = useRead(notifications());
  const markRead = useMarkRead();
  const [isOpen, { close, toggle }] = useDisclosure(false);
  const { key } = useLocation();
  // Who follows a link of it has left it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: at each step
  useEffect(close, [key]);
  const unread = data?.unread ?? 0;
  const newest = data?.notifications[0]?.number;
  return (
    <Popover opened={isOpen} onDismiss={close} position="bottom-end" shadow="md" width="min(26rem, 94vw)" trapFocus>
      <Indicator
        label={unread > COUNTED ? `${COUNTED}+` : unread}
        disabled={unread === 0}
        size={17}
        offset={5}
        color="red.8"
      >
        <Popover.Target>
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={unread > 0 ? `Notifications, ${unread} unread` : 'Notifications'}
            onClick={toggle}
          >
            <IconBell size={19} stroke={1.7} />
          </ActionIcon>
        </Popover.Target>
      </Indicator>
      <Popover.Dropdown aria-label="Notifications">
        <Group justify="space-between" mb="xs" mih={30}>
          <Text fz="sm" fw={600}>
            Notifications
          </Text>
          {unread > 0 && newest !== undefined && (
            <Button
              size="compact-sm"
              variant="default"
              loading={markRead.isPending}
              onClick={() => markRead.mutate(newest)}
            >
              Mark all as read
            </Button>
          )}
        </Group>
        {markRead.error !== null && <Failure error={markRead.error} />}
        {failure ? (
          <Failure error={failure} retry={tryAgain} />
        ) : !data ? (
          <Lines />
        ) : data.notifications.length === 0 ? (
          <Text fz="sm" c="dimmed">
            Nothing yet. Here stands who bought what is yours, and who posted in your channels.
          </Text>
        ) : (
          <ScrollArea.Autosize mah="60vh">
            <Stack gap={2} component="ol" m={0} p={0} style={{ listStyle: 'none' }}>
              {data.notifications.map(({ number, isRead, activity }) => (
                <li key={number} className="notification" data-unread={!isRead}>
                  <ActivityLine
                    activity={activity}
                    mark={isRead ? null : <span className="dot" role="img" aria-label="unread" data-up />}
                  />
                </li>
              ))}
            </Stack>
          </ScrollArea.Autosize>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

// The frame of all pages but the entrance: brand, places, and for who is logged in wallet, news and account.
import {
  ActionIcon,
  AppShell,
  Button,
  Container,
  Group,
  Menu,
  Popover,
  Skeleton,
  Stack,
  Text,
  UnstyledButton,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconActivity,
  IconApi,
  IconBuildingStore,
  IconChevronDown,
  IconLayoutDashboard,
  IconLogout,
  IconMessages,
  IconMoon,
  IconPlugConnectedX,
  IconSun,
  IconUser,
  IconWallet,
} from '@tabler/icons-react';
import { useIsFetching, useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import {
  Link,
  NavLink,
  Outlet,
  ScrollRestoration,
  useLocation,
  useMatch,
  useNavigation,
  useSearchParams,
} from 'react-router';
import { apiBase } from './api/client';
import { type Balance, item, logOut, wallet } from './api/queries';
import { isOutdated } from './api/reading';
import { useIsWaiting } from './arrival';
import { CurrencyMark, Money } from './components/money';
import { NotificationsMenu } from './components/notifications-menu';
import { PersonAvatar } from './components/person';
import { CURRENCY_NAMES, formatShort, minorUnits } from './money';
import { useMe, useSession } from './session';

const PLACES = [
  { to: '/marketplace', label: 'Marketplace', icon: IconBuildingStore },
  { to: '/discourse', label: 'Discourse', icon: IconMessages },
  { to: '/activity', label: 'Activity', icon: IconActivity },
  { to: '/dashboard', label: 'Dashboard', icon: IconLayoutDashboard },
];

function Places() {
  return PLACES.map(({ to, label, icon: Icon }) => (
    <NavLink key={to} to={to} className="nav">
      <Icon size={19} stroke={1.7} aria-hidden />
      {label}
    </NavLink>
  ));
}

export function Brand() {
  return (
    <Link to="/" className="brand">
      <img src="/icon.svg" width={28} height={28} alt="" />
      <span>capsim</span>
    </Link>
  );
}

/** Turns light to dark and back. */
export function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="lg"
      aria-label={`Switch to ${other} colours`}
      onClick={() => setColorScheme(other)}
    >
      {scheme === 'dark' ? <IconSun size={19} stroke={1.7} /> : <IconMoon size={19} stroke={1.7} />}
    </ActionIcon>
  );
}

/** What one pays with here: the currency of the listing that is open, or of the filter that is set, or the first. */
function usePurse(balances: Balance[] | undefined): Balance | undefined {
  const id = useMatch('/marketplace/item/:id')?.params.id;
  const { data: open } = useQuery({ ...item(id ?? ''), enabled: id !== undefined });
  const filtered = useSearchParams()[0].get('currency');
  return balances?.find(({ currency }) => currency === (open?.currency ?? filtered)) ?? balances?.[0];
}

function Wallet() {
  const { data: balances } = useQuery(wallet());
  const purse = usePurse(balances);
  return (
    <Popover position="bottom-end" shadow="md" width={330} trapFocus>
      <Popover.Target>
        <UnstyledButton className="nav purse" aria-label="Wallet">
          <IconWallet size={19} stroke={1.7} aria-hidden className="spare" />
          {purse ? (
            <Text component="span" className="money" fz="sm" fw={600}>
              {formatShort(minorUnits(purse.balance, purse.currency), purse.currency)}{' '}
              <CurrencyMark currency={purse.currency} />
            </Text>
          ) : (
            <Skeleton width={110} height={16} />
          )}
          <IconChevronDown size={14} aria-hidden className="spare" />
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown aria-label="Wallet">
        <Stack gap="sm">
          <Text fz="sm" fw={600}>
            Your wallet
          </Text>
          {balances?.map(({ balance, currency }) => (
            <Group key={currency} justify="space-between" gap="xs" wrap="nowrap" data-currency={currency}>
              <Text fz="sm" c="dimmed">
                {CURRENCY_NAMES[currency]}
              </Text>
              <Money amount={balance} currency={currency} fz="sm" />
            </Group>
          ))}
          <Text fz="sm" component={Link} to="/dashboard" className="link">
            What is mine
          </Text>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

async function leave() {
  if (await logOut()) return;
  notifications.show({
    title: 'Logged out in this browser',
    message: 'The gateway did not hear of it: if somebody has a copy of this session, it lasts a day at most.',
  });
}

function Account() {
  const me = useMe();
  return (
    <Menu position="bottom-end" shadow="md" width={220}>
      <Menu.Target>
        <UnstyledButton aria-label={`Account of ${me.username}`}>
          <PersonAvatar id={me.userId} name={me.username} size="md" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label className="clamp">Logged in as {me.username}</Menu.Label>
        <Menu.Item leftSection={<IconUser size={16} />} component={Link} to="/profile">
          Your account
        </Menu.Item>
        <Menu.Item leftSection={<IconApi size={16} />} component="a" href={`${apiBase}/docs`} target="_blank">
          API in Swagger UI
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={leave}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** That what is shown may be old, or that what was asked for is on its way: nobody answers. */
function Away() {
  const isWaiting = useIsWaiting();
  const isOld = useIsFetching(isOutdated) > 0;
  const sentence = isWaiting
    ? 'The server does not answer. The page you asked for opens as soon as it does.'
    : isOld && 'No answer: what you see may be old. This page keeps trying.';
  return (
    <div role="status">
      {sentence && (
        <Group className="sunk" gap={8} px="md" py={6} mb="md" wrap="nowrap">
          <IconPlugConnectedX size={18} stroke={1.7} aria-hidden style={{ flex: 'none' }} />
          <Text fz="sm">{sentence}</Text>
        </Group>
      )}
    </div>
  );
}

/** The way in, and back to where one is. */
function Enter() {
  const { pathname, search } = useLocation();
  return (
    <Button component={Link} to="/login" state={{ from: pathname + search }} size="sm">
      Log in
    </Button>
  );
}

export function Layout() {
  const isInside = useSession() !== null;
  const { pathname } = useLocation();
  // The code of the next page is on its way.
  const isBusy = useNavigation().state !== 'idle';
  const main = useRef<HTMLElement>(null);
  const shown = useRef(pathname);
  // A new page begins at its head, for those who listen, too.
  useEffect(() => {
    if (shown.current !== pathname) main.current?.focus({ preventScroll: true });
    shown.current = pathname;
  }, [pathname]);

  return (
    <AppShell header={{ height: 60 }} footer={{ height: { base: 58, sm: 0 } }}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <AppShell.Header bg="var(--surface)" withBorder className="head" data-busy={isBusy || undefined}>
        <Container size={1240} h="100%">
          <Group h="100%" justify="space-between" wrap="nowrap">
            <Group gap="xl" wrap="nowrap">
              <Brand />
              <Group component="nav" gap={4} wrap="nowrap" visibleFrom="sm" aria-label="Places">
                <Places />
              </Group>
            </Group>
            <Group gap={6} wrap="nowrap">
              {isInside && <Wallet />}
              {isInside && <NotificationsMenu />}
              <SchemeToggle />
              {isInside ? <Account /> : <Enter />}
            </Group>
          </Group>
        </Container>
      </AppShell.Header>
      <AppShell.Main id="main" tabIndex={-1} ref={main} aria-busy={isBusy}>
        <Container size={1240} py={{ base: 'lg', sm: 'xl' }}>
          <Away />
          <Outlet />
        </Container>
      </AppShell.Main>
      <AppShell.Footer hiddenFrom="sm" bg="var(--surface)">
        <nav className="tabs" aria-label="Places">
          <Places />
        </nav>
      </AppShell.Footer>
      <ScrollRestoration getKey={({ pathname, search }) => pathname + search} />
    </AppShell>
  );
}

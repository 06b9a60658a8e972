// What stands around every page, and which pages there are.
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { focusManager, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import {
  createBrowserRouter,
  createPath,
  Navigate,
  Outlet,
  type RouteObject,
  RouterProvider,
  useLocation,
} from 'react-router';
import { retryDelay, retryRead, tryNow } from './api/reading';
import { arriveOrReopen, preload } from './arrival';
import { Broken, OnItsWay } from './components/broken';
import { Layout } from './layout';
import { follow } from './live/live';
import { current, subscribe, useSession } from './session';
import { cssVariables, theme } from './theme';

const client = new QueryClient({
  // Always: the gateway may be on this very machine, whatever the browser thinks of the network.
  defaultOptions: {
    queries: { retry: retryRead, retryDelay, staleTime: 1000, networkMode: 'always' },
    mutations: { retryDelay, networkMode: 'always' },
  },
});

// Reads pause while nobody looks, and wait longer each time; who comes back does not wait with them.
focusManager.subscribe((isFocused) => isFocused && tryNow(client));
addEventListener('online', () => tryNow(client));

// What one user has read, the next must not see.
let owner = current()?.userId;
subscribe(() => {
  if (current()?.userId !== owner) client.clear();
  owner = current()?.userId;
});

follow(client);

/** What stands around all pages but the entrance. Another user begins anew, also where another tab logged them in. */
function Frame() {
  return <Layout key={useSession()?.userId} />;
}

/** Pages that need a session; who has none logs in first, and comes back. */
function Private() {
  const { pathname, search, state } = useLocation();
  return useSession() ? <Outlet /> : <Navigate to="/login" replace state={{ from: pathname + search, state }} />;
}

const PAGES = {
  marketplace: () => import('./pages/marketplace').then(({ MarketplacePage }) => MarketplacePage),
  item: () => import('./pages/item').then(({ ItemPage }) => ItemPage),
  newItem: () => import('./pages/new-item').then(({ NewItemPage }) => NewItemPage),
  discourse: () => import('./pages/discourse').then(({ DiscoursePage }) => DiscoursePage),
  channel: () => import('./pages/channel').then(({ ChannelPage }) => ChannelPage),
  dashboard: () => import('./pages/dashboard').then(({ DashboardPage }) => DashboardPage),
  activity: () => import('./pages/activity').then(({ ActivityPage }) => ActivityPage),
  profile: () => import('./pages/profile').then(({ ProfilePage }) => ProfilePage),
  login: () => import('./pages/login').then(({ LoginPage }) => LoginPage),
  register: () => import('./pages/register').then(({ RegisterPage }) => RegisterPage),
  notFound: () => import('./pages/not-found').then(({ NotFoundPage }) => NotFoundPage),
};
// Who has one page has them all, before the server may go away.
preload(Object.values(PAGES));

/** A page at a path, from where its code comes when somebody goes there. */
function page(path: string, load: (typeof PAGES)[keyof typeof PAGES], children?: RouteObject[]): RouteObject {
  return { path, lazy: async () => ({ Component: await arriveOrReopen(load, destination) }), children };
}

/** Where one goes, or is. */
function destination(): string {
  return createPath(router.state.navigation.location ?? router.state.location);
}

const router = createBrowserRouter([
  {
    element: <Outlet />,
    errorElement: <Broken />,
    hydrateFallbackElement: <OnItsWay />,
    children: [
      page('/login', PAGES.login),
      page('/register', PAGES.register),
      {
        element: <Frame />,
        children: [
          {
            // Inside of the frame: the other places stay in reach.
            errorElement: <Broken />,
            children: [
              page('/activity', PAGES.activity),
              {
                element: <Private />,
                children: [
                  { path: '/', element: <Navigate to="/marketplace" replace /> },
                  page('/marketplace', PAGES.marketplace),
                  page('/marketplace/new', PAGES.newItem),
                  page('/marketplace/item/:id', PAGES.item),
                  page('/discourse', PAGES.discourse, [page(':id', PAGES.channel)]),
                  page('/dashboard', PAGES.dashboard),
                  page('/profile', PAGES.profile),
                  page('*', PAGES.notFound),
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
      <QueryClientProvider client={client}>
        <Notifications position="bottom-right" />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

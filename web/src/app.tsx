// What stands around every page, and which pages there are.
import { Button, Center, MantineProvider, Stack, Text, Title } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createBrowserRouter, Navigate, Outlet, RouterProvider, useLocation } from 'react-router';
import { retry, retryDelay } from './api/queries';
import { Layout } from './layout';
import { current, subscribe, useSession } from './session';
import { cssVariables, theme } from './theme';

const client = new QueryClient({
  defaultOptions: { queries: { retry, retryDelay, staleTime: 1000 } },
});

// What one user has read, the next must not see.
let owner = current()?.userId;
subscribe(() => {
  if (current()?.userId !== owner) client.clear();
  owner = current()?.userId;
});

/** Pages that need a session; who has none logs in first, and comes back. */
function Private() {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (!session) return <Navigate to="/login" replace state={{ from: pathname + search }} />;
  // Another user begins anew, also where another tab logged them in.
  return <Layout key={session.userId} />;
}

/** A page whose code did not arrive, or that failed. */
function Broken() {
  return (
    <Center mih="60vh" p="md" component="main">
      <Stack align="center" maw={420} ta="center">
        <Title order={1}>This page broke</Title>
        <Text c="dimmed">That is our mistake, or the UI was updated meanwhile. Nothing of yours is lost.</Text>
        <Button onClick={() => location.reload()}>Reload</Button>
      </Stack>
    </Center>
  );
}

const router = createBrowserRouter([
  {
    element: <Outlet />,
    errorElement: <Broken />,
    hydrateFallbackElement: <div />,
    children: [
      { path: '/login', lazy: () => import('./pages/login').then(({ LoginPage: Component }) => ({ Component })) },
      {
        path: '/register',
        lazy: () => import('./pages/register').then(({ RegisterPage: Component }) => ({ Component })),
      },
      {
        element: <Private />,
        errorElement: <Broken />,
        children: [
          { path: '/', element: <Navigate to="/marketplace" replace /> },
          {
            path: '/marketplace',
            lazy: () => import('./pages/marketplace').then(({ MarketplacePage: Component }) => ({ Component })),
          },
          {
            path: '/marketplace/new',
            lazy: () => import('./pages/new-item').then(({ NewItemPage: Component }) => ({ Component })),
          },
          {
            path: '/marketplace/item/:id',
            lazy: () => import('./pages/item').then(({ ItemPage: Component }) => ({ Component })),
          },
          {
            path: '/discourse',
            lazy: () => import('./pages/discourse').then(({ DiscoursePage: Component }) => ({ Component })),
            children: [
              {
                path: ':id',
                lazy: () => import('./pages/channel').then(({ ChannelPage: Component }) => ({ Component })),
              },
            ],
          },
          {
            path: '/dashboard',
            lazy: () => import('./pages/dashboard').then(({ DashboardPage: Component }) => ({ Component })),
          },
          { path: '*', lazy: () => import('./pages/not-found').then(({ NotFoundPage: Component }) => ({ Component })) },
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

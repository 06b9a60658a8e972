import { Alert, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link, useLocation } from 'react-router';
import { useLogIn } from '../api/queries';
import { focusFirstError } from '../components/field-errors';
import { Failure } from '../components/states';
import { whyEnded } from '../session';
import { Entrance } from './entrance';

export function LoginPage() {
  const logIn = useLogIn();
  const { state } = useLocation();
  const form = useForm({
    initialValues: { username: '', password: '' },
    validate: {
      username: (name) => (name.trim() ? null : 'Who are you?'),
      password: (password) => (password ? null : 'And your password?'),
    },
  });
  return (
    <Entrance title="Log in">
      <form
        onSubmit={form.onSubmit(
          ({ username, password }) => logIn.mutate({ username: username.trim(), password }),
          focusFirstError,
        )}
        noValidate
      >
        <Stack>
          {whyEnded() === 'expired' && !logIn.error && (
            <Alert color="brass" variant="outline" role="status">
              Your session has ended. Log in to go on where you were.
            </Alert>
          )}
          {logIn.error && <Failure error={logIn.error} />}
          <TextInput label="Username or e-mail" autoComplete="username" {...form.getInputProps('username')} />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show password' }}
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={logIn.isPending} fullWidth>
            Log in
          </Button>
          <Text fz="sm" c="dimmed">
            New here?{' '}
            <Link to="/register" state={state} className="link">
              Register
            </Link>
            : it takes a name and a password.
          </Text>
        </Stack>
      </form>
    </Entrance>
  );
}

import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { Link, useLocation } from 'react-router';
import { useRegister } from '../api/queries';
import { focusFirstError, showAtFields } from '../components/field-errors';
import { Failure } from '../components/states';
import { passwordProblem, usernameProblem } from '../credentials';
import { Entrance } from './entrance';

export function RegisterPage() {
  const register = useRegister();
  const { state } = useLocation();
  const form = useForm({
    initialValues: { username: '', password: '' },
    validate: { username: (name) => usernameProblem(name.trim()), password: passwordProblem },
  });
  const submit = form.onSubmit(
    ({ username, password }) =>
      register.mutate({ username: username.trim(), password }, { onError: (error) => void showAtFields(form, error) }),
    focusFirstError,
  );
  const isAtFields = Object.keys(form.errors).length > 0;
  return (
    <Entrance title="Register">
      <form onSubmit={submit} noValidate>
        <Stack>
          {register.error && !isAtFields && <Failure error={register.error} />}
          <TextInput
            label="Username"
            description="3 to 64 letters, digits, or _ . - ; everybody sees it"
            autoComplete="username"
            {...form.getInputProps('username')}
          />
          <PasswordInput
            label="Password"
            description="6 to 128 characters"
            autoComplete="new-password"
            visibilityToggleButtonProps={{ 'aria-label': 'Show password' }}
            {...form.getInputProps('password')}
          />
          <Button type="submit" loading={register.isPending} fullWidth>
            Register
          </Button>
          <Text fz="sm" c="dimmed">
            Registered already?{' '}
            <Link to="/login" state={state} className="link">
              Log in
            </Link>
          </Text>
        </Stack>
      </form>
    </Entrance>
  );
}

// One's own account: what others see of it, what they do not, and the password.
import {
  Button,
  Grid,
  Group,
  Modal,
  Paper,
  PasswordInput,
  SimpleGrid,
  Stack,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiError } from '../api/problem';
import { type Profile, profile, useChangePassword, useEraseProfile, useUpdateProfile } from '../api/queries';
import { useRead } from '../api/reading';
import { focusFirstError, showAtFields } from '../components/field-errors';
import { Restored } from '../components/notices';
import { PageHead } from '../components/page';
import { Failure, Lines } from '../components/states';
import { When } from '../components/when';
import { emailProblem, passwordProblem } from '../credentials';
import { useDraftForm } from '../draft-form';
import { useMe } from '../session';
import { optionalLengthProblem } from '../text';

export function ProfilePage() {
  const { data, failure, tryAgain } = useRead(profile());
  return (
    <>
      <PageHead title="Your account">
        {data && (
          <>
            {data.username}
            {data.roles.map((role) => `, ${role}`)}, here since <When time={data.createdAt} />
          </>
        )}
      </PageHead>
      <Grid gap={{ base: 'md', md: 'xl' }}>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Section title="About you">
            {/* Begins anew with what was saved. */}
            {data && !failure && <Fields key={data.updatedAt} profile={data} />}
            {failure ? <Failure error={failure} retry={tryAgain} /> : !data && <Lines count={8} />}
          </Section>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Section title="Password">
            <Password />
          </Section>
        </Grid.Col>
      </Grid>
    </>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper className="surface" p={{ base: 'md', sm: 'xl' }} component="section">
      <Title order={2} fz={20} mb="md">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function Fields({ profile: saved }: { profile: Profile }) {
  const { firstName = '', lastName = '', bio = '', email = '', phone = '', address = '' } = saved;
  const update = useUpdateProfile();
  const client = useQueryClient();
  const fields = { firstName, lastName, bio, email, phone, address };
  const { form, isBegun, isRestored, clear } = useDraftForm('profile', fields, {
    firstName: (text) => optionalLengthProblem(text, 100),
    lastName: (text) => optionalLengthProblem(text, 100),
    bio: (text) => optionalLengthProblem(text, 2000),
    email: emailProblem,
    phone: (text) => optionalLengthProblem(text, 50),
    address: (text) => optionalLengthProblem(text, 500),
  });
  const submit = form.onSubmit(
    (change) =>
      update.mutateAsync(change).then(
        (next) => {
          clear();
          client.setQueryData(profile().queryKey, next);
          notifications.show({ message: 'Saved' });
        },
        (error) => void showAtFields(form, error),
      ),
    focusFirstError,
  );
  return (
    <form onSubmit={submit} noValidate aria-label="About you">
      <Stack>
        {update.error !== null && Object.keys(form.errors).length === 0 && <Failure error={update.error} />}
        {isRestored && <Restored onDiscard={clear} />}
        <Text fz="sm" c="dimmed">
          Everybody may see these:
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <TextInput label="First name" autoComplete="given-name" {...form.getInputProps('firstName')} />
          <TextInput label="Last name" autoComplete="family-name" {...form.getInputProps('lastName')} />
        </SimpleGrid>
        <Textarea label="Bio" autosize minRows={2} maxRows={10} {...form.getInputProps('bio')} />
        <Text fz="sm" c="dimmed" mt="xs">
          These are shown to nobody but you, and to admins:
        </Text>
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="email"
          description="You can log in with it"
          {...form.getInputProps('email')}
        />
        <TextInput label="Phone" type="tel" autoComplete="tel" {...form.getInputProps('phone')} />
        <Textarea
          label="Address"
          autoComplete="street-address"
          autosize
          minRows={2}
          maxRows={6}
          {...form.getInputProps('address')}
        />
        <Group justify="space-between" gap="sm">
          <Erase isEmpty={Object.values(fields).every((text) => text === '')} onErased={clear} />
          <Button type="submit" loading={update.isPending} disabled={!isBegun}>
            Save
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Takes all of these fields away, after a question. */
function Erase({ isEmpty, onErased }: { isEmpty: boolean; onErased: () => void }) {
  const [isOpen, { open, close }] = useDisclosure(false);
  const erase = useEraseProfile();
  const confirm = () =>
    erase.mutate(undefined, {
      onSuccess: () => {
        onErased();
        close();
      },
    });
  return (
    <>
      <Button variant="default" disabled={isEmpty} onClick={open}>
        Erase all
      </Button>
      <Modal
        opened={isOpen}
        onClose={close}
        title="Erase what you said of yourself?"
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Stack>
          {erase.error !== null && <Failure error={erase.error} />}
          <Text fz="sm">
            Names, bio, e-mail, phone and address are deleted. Your username, listings, trades and posts stay.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              Cancel
            </Button>
            <Button onClick={confirm} loading={erase.isPending}>
              Erase
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

function Password() {
  const me = useMe();
  const change = useChangePassword();
  const form = useForm({
    initialValues: { old: '', new: '' },
    validate: { old: (password) => (password ? null : 'This is needed'), new: passwordProblem },
  });
  const submit = form.onSubmit((passwords) => {
    change.mutate(
      { ...passwords, username: me.username },
      {
        onSuccess: () => {
          form.reset();
          notifications.show({ message: 'Your password is changed; everywhere else you are logged out.' });
        },
        onError: (error) => {
          const isWrong = error instanceof ApiError && error.is('invalid_credentials');
          isWrong ? form.setFieldError('old', 'This is not your password') : showAtFields(form, error);
        },
      },
    );
  }, focusFirstError);
  return (
    <form onSubmit={submit} noValidate aria-label="Password">
      <Stack>
        {change.error && Object.keys(form.errors).length === 0 && <Failure error={change.error} />}
        {/* Tells password managers whose it is. */}
        <input type="text" autoComplete="username" value={me.username} readOnly hidden />
        <PasswordInput
          label="Present password"
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show present password' }}
          {...form.getInputProps('old')}
        />
        <PasswordInput
          label="New password"
          description="6 to 128 characters"
          autoComplete="new-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show new password' }}
          {...form.getInputProps('new')}
        />
        <Group justify="flex-end">
          <Button type="submit" loading={change.isPending}>
            Change it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

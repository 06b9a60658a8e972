import { Button, Group, Modal, Radio, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useNavigate } from 'react-router';
import { type Schemas, useCreateChannel } from '../api/queries';
import { useDraftForm } from '../draft-form';
import { lengthProblem, optionalLengthProblem } from '../text';
import { focusFirstError, showAtFields } from './field-errors';
import { Restored } from './notices';
import { Failure } from './states';
import { CHANNEL_TYPE_WORDS, keysOf } from './words';

export function NewChannelDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const isPhone = useMediaQuery('(max-width: 36em)');
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Open a channel"
      centered
      fullScreen={isPhone}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <ChannelForm onClose={onClose} />
    </Modal>
  );
}

const EMPTY = { name: '', description: '', zone: '', type: 'public' as Schemas['ChannelType'] };

function ChannelForm({ onClose }: { onClose: () => void }) {
  const create = useCreateChannel();
  const navigate = useNavigate();
  const { form, isRestored, clear } = useDraftForm('channel', EMPTY, {
    name: (name) => lengthProblem(name, 255),
    description: (description) => optionalLengthProblem(description, 5000),
    zone: (zone) => optionalLengthProblem(zone, 100),
  });
  const submit = form.onSubmit(
    (channel) =>
      create.mutateAsync(channel).then(
        ({ id }) => {
          clear();
          navigate(`/discourse/${id}`);
        },
        (error) => void showAtFields(form, error),
      ),
    focusFirstError,
  );
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {create.error && Object.keys(form.errors).length === 0 && <Failure error={create.error} />}
        {isRestored && <Restored onDiscard={clear} />}
        <TextInput label="Name" withAsterisk data-autofocus {...form.getInputProps('name')} />
        <Textarea label="Description" autosize minRows={2} maxRows={8} {...form.getInputProps('description')} />
        <TextInput
          label="Zone"
          placeholder="A school or a subject: austrian, crypto, …"
          {...form.getInputProps('zone')}
        />
        <Radio.Group label="Who may do what" {...form.getInputProps('type')}>
          <Stack gap="xs" mt="xs">
            {keysOf(CHANNEL_TYPE_WORDS).map((value) => {
              const { label, about } = CHANNEL_TYPE_WORDS[value];
              return <Radio key={value} value={value} label={label} description={about} />;
            })}
          </Stack>
        </Radio.Group>
        <Text fz="sm" c="dimmed">
          This cannot be changed afterwards.
        </Text>
        <Group justify="flex-end">
          <Button
            variant="default"
            onClick={() => {
              clear();
              onClose();
            }}
          >
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Open it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

import { Button, Divider, Group, Input, Modal, SegmentedControl, Skeleton, Stack, Text } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { IconCircleCheck } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type Effect, effectOf } from '../affordable';
import { newIdempotencyKey } from '../api/idempotency';
import { ApiError } from '../api/problem';
import { type Item, type Schemas, usePurchase, wallet } from '../api/queries';
import { format } from '../money';
import { Money } from './money';
import { Failure } from './states';
import { keysOf, TRANSACTION_TYPE_WORDS } from './words';

/** Asks before it buys, and shows what that does to the wallet. */
export function PurchaseDialog({ item, isOpen, onClose }: { item: Item; isOpen: boolean; onClose: () => void }) {
  const isPhone = useMediaQuery('(max-width: 36em)');
  return (
    <Modal
      opened={isOpen}
      onClose={onClose}
      title="Confirm the purchase"
      centered
      fullScreen={isPhone}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <Confirmation item={item} onClose={onClose} />
    </Modal>
  );
}

function Confirmation({ item, onClose }: { item: Item; onClose: () => void }) {
  const [type, setType] = useState<Schemas['TransactionType']>('purchase');
  const [idempotencyKey, setKey] = useState(newIdempotencyKey);
  const { data: balances } = useQuery(wallet());
  const purchase = usePurchase();
  // The wallet as it was when the dialog asked: what comes after is told by the same sum.
  const [before, setBefore] = useState<Schemas['Balance'][]>();
  useEffect(() => {
    if (purchase.isIdle) setBefore(balances);
  }, [balances, purchase.isIdle]);
  const effect = before && effectOf(item, before);
  const isShort = effect !== undefined && effect.after < 0n;

  if (purchase.isSuccess) {
    return (
      <Stack align="center" ta="center" py="md" role="status">
        <IconCircleCheck size={44} stroke={1.4} color="var(--accent)" aria-hidden />
        <Text fw={600} fz="lg">
          It is yours
        </Text>
        <Text c="dimmed" fz="sm" className="clamp" dir="auto">
          {item.name}
        </Text>
        {effect && (
          <Text fz="sm">
            You have <Money amount={effect.after} currency={effect.currency} /> left.
          </Text>
        )}
        <Button onClick={onClose} data-autofocus>
          Done
        </Button>
      </Stack>
    );
  }

  const isFinal = purchase.error instanceof ApiError && purchase.error.status === 409;
  return (
    <Stack>
      <Text fw={600} fz="lg" className="clamp" lineClamp={4} dir="auto">
        {item.name}
      </Text>
      <Input.Wrapper
        label="You buy it as"
        description={TRANSACTION_TYPE_WORDS[type].about}
        inputContainer={(input) => input}
      >
        <SegmentedControl
          fullWidth
          mt={6}
          aria-label="You buy it as"
          disabled={purchase.isPending}
          value={type}
          onChange={(chosen) => {
            setType(chosen as Schemas['TransactionType']);
            // Another purchase, so another key.
            setKey(newIdempotencyKey());
            purchase.reset();
          }}
          data={keysOf(TRANSACTION_TYPE_WORDS).map((value) => ({ value, label: TRANSACTION_TYPE_WORDS[value].label }))}
        />
      </Input.Wrapper>
      {effect ? <Sum effect={effect} /> : <Skeleton h={104} />}
      {effect && (isShort || isInsufficient(purchase.error)) ? (
        <Failure message={shortage(effect)} />
      ) : (
        purchase.isError && <Failure error={purchase.error} />
      )}
      <Group justify="flex-end" mt="xs">
        <Button variant="default" onClick={onClose}>
          {isFinal ? 'Close' : 'Cancel'}
        </Button>
        {!isFinal && (
          <Button
            data-autofocus
            loading={purchase.isPending}
            disabled={!effect || isShort}
            onClick={() => purchase.mutate({ itemId: item._id, type, idempotencyKey })}
          >
            {purchase.error ? 'Try again' : 'Confirm'}
          </Button>
        )}
      </Group>
    </Stack>
  );
}

function Sum({ effect }: { effect: Effect }) {
  const { currency, before, price, after } = effect;
  return (
    <Stack className="sunk" p="md" gap={6}>
      {(
        [
          ['In your wallet', before],
          ['Price', -price],
        ] as const
      ).map(([what, amount]) => (
        <Group key={what} justify="space-between">
          <Text fz="sm" c="dimmed">
            {what}
          </Text>
          <Money amount={amount} currency={currency} fz="sm" fw={500} />
        </Group>
      ))}
      <Divider color="var(--line)" />
      <Group justify="space-between">
        <Text fz="sm" fw={600}>
          Afterwards
        </Text>
        <Money amount={after} currency={currency} c={after < 0n ? 'var(--mantine-color-error)' : undefined} />
      </Group>
    </Stack>
  );
}

const isInsufficient = (error: unknown) => error instanceof ApiError && error.is('insufficient_funds');

/** That the money does not suffice, and by how much. */
function shortage({ after, currency }: Effect): string {
  const missing = after < 0n ? ` You are ${format(-after, currency)} ${currency} short.` : '';
  return `You do not have enough money for this.${missing}`;
}

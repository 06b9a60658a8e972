// Quiet lines above what they are about.
import { Button, CloseButton, Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';

function Notice({ children, action }: { children: ReactNode; action: ReactNode }) {
  return (
    <Group className="sunk" role="status" justify="space-between" gap="xs" px="md" py={6} mb="md" wrap="nowrap">
      <Text fz="sm" className="clamp">
        {children}
      </Text>
      {action}
    </Group>
  );
}

/** Which words of the URL were not understood. */
export function Dropped({ words, onClose }: { words: string[]; onClose: () => void }) {
  if (words.length === 0) return null;
  return (
    <Notice action={<CloseButton size="sm" aria-label="Close this notice" onClick={onClose} />}>
      Not understood in the address, and left out:{' '}
      {words.map((word, index) => (
        <span key={word}>
          {index > 0 && ', '}
          <code dir="auto">{word}</code>
        </span>
      ))}
    </Notice>
  );
}

/** That a form begins with what was typed before. */
export function Restored({ onDiscard }: { onDiscard: () => void }) {
  return (
    <Notice
      action={
        <Button size="compact-sm" variant="default" onClick={onDiscard} style={{ flex: 'none' }}>
          Discard it
        </Button>
      }
    >
      Your draft from before is still here.
    </Notice>
  );
}

import { Group, Pagination, Text } from '@mantine/core';
import type { Schemas } from '../api/queries';

/** Pages, and how much there is in all. */
export function Paging({
  of,
  what,
  onPage,
}: {
  of: Schemas['Pagination'];
  what: [one: string, many: string];
  onPage: (page: number) => void;
}) {
  const { page, pages, total } = of;
  return (
    <Group justify="space-between" gap="sm" mt="lg">
      <Text fz="sm" c="dimmed" role="status">
        {total.toLocaleString('en')} {what[total === 1 ? 0 : 1]}
        {pages > 1 && `, page ${page} of ${pages}`}
      </Text>
      {pages > 1 && (
        <Pagination
          total={pages}
          value={page}
          onChange={onPage}
          size="sm"
          aria-label="Pages"
          getControlProps={(control) => ({ 'aria-label': `${control} page` })}
          getItemProps={(page) => ({ 'aria-label': `Page ${page}` })}
        />
      )}
    </Group>
  );
}

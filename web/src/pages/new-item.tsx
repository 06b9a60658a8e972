import {
  Box,
  Button,
  Grid,
  Group,
  Paper,
  Select,
  Stack,
  Switch,
  TagsInput,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useLocation, useNavigate } from 'react-router';
import { type Item, type Schemas, useCreateItem } from '../api/queries';
import { focusFirstError, showAtFields } from '../components/field-errors';
import { ItemFace } from '../components/item-card';
import { Restored } from '../components/notices';
import { PageHead } from '../components/page';
import { Failure } from '../components/states';
import { CATEGORY_WORDS, keysOf } from '../components/words';
import { useDraftForm } from '../draft-form';
import { CURRENCIES, CURRENCY_NAMES, type Currency, PLACES, priceProblem, typedAmount } from '../money';
import { useMe } from '../session';
import { lengthOf, lengthProblem, tagsProblem } from '../text';

interface Form extends Record<string, unknown> {
  name: string;
  description: string;
  category: Schemas['Category'] | null;
  price: string;
  currency: Currency;
  isPremium: boolean;
  tags: string[];
}

const EMPTY: Form = {
  name: '',
  description: '',
  category: null,
  price: '',
  currency: 'USD',
  isPremium: false,
  tags: [],
};

export function NewItemPage() {
  const create = useCreateItem();
  const navigate = useNavigate();
  const me = useMe();
  const isFirst = useLocation().key === 'default';
  const { form, isRestored, clear } = useDraftForm('item', EMPTY, {
    name: (name) => lengthProblem(name, 200),
    description: (description) => lengthProblem(description, 5000),
    category: (category) => (category ? null : 'Choose what kind of thing it is'),
    price: (price, { currency }) => priceProblem(price, currency),
    tags: tagsProblem,
  });
  const { values } = form;
  const submit = form.onSubmit(({ category, price, ...rest }) => {
    if (!category) return;
    return create.mutateAsync({ ...rest, category, price: typedAmount(price) }).then(
      (item) => {
        clear();
        notifications.show({ title: 'It is for sale', message: <span dir="auto">{item.name}</span> });
        navigate(`/marketplace/item/${item._id}`);
      },
      (error) => void showAtFields(form, error),
    );
  }, focusFirstError);
  const preview: Item = {
    _id: '',
    name: values.name.trim() || 'Name of your listing',
    description: values.description.trim() || 'What it is, in which state, and how it comes to its buyer.',
    category: values.category ?? 'asset',
    price: priceProblem(values.price, values.currency) ? '0' : typedAmount(values.price),
    currency: values.currency,
    sellerId: me.userId,
    status: 'available',
    isPremium: values.isPremium,
    tags: values.tags,
    createdAt: new Date().toISOString(),
    updatedAt: new Date().toISOString(),
  };

  return (
    <>
      <PageHead title="List something">Offer it to everybody; whoever confirms first has it</PageHead>
      <Grid gap={{ base: 'md', md: 'xl' }}>
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Paper className="surface" p={{ base: 'md', sm: 'xl' }}>
            {isRestored && <Restored onDiscard={clear} />}
            <form onSubmit={submit} noValidate>
              <Stack>
                {create.error && Object.keys(form.errors).length === 0 && <Failure error={create.error} />}
                <TextInput label="Name" withAsterisk {...form.getInputProps('name')} />
                <Textarea
                  label="Description"
                  withAsterisk
                  autosize
                  minRows={4}
                  maxRows={16}
                  description={`${lengthOf(values.description).toLocaleString('en')} of 5,000 characters`}
                  {...form.getInputProps('description')}
                />
                <Select
                  label="Category"
                  withAsterisk
                  placeholder="What kind of thing is it?"
                  data={keysOf(CATEGORY_WORDS).map((value) => ({ value, label: CATEGORY_WORDS[value].label }))}
                  {...form.getInputProps('category')}
                />
                <Group align="flex-start" grow preventGrowOverflow={false}>
                  <TextInput
                    label="Price"
                    withAsterisk
                    inputMode="decimal"
                    placeholder={`0.${'0'.repeat(PLACES[values.currency])}`}
                    {...form.getInputProps('price')}
                  />
                  <Select
                    label="Currency"
                    allowDeselect={false}
                    data={CURRENCIES.map((value) => ({ value, label: CURRENCY_NAMES[value] }))}
                    {...form.getInputProps('currency')}
                  />
                </Group>
                <TagsInput
                  label="Tags"
                  description="At most 20; press Enter after each"
                  clearable
                  {...form.getInputProps('tags')}
                />
                <Switch
                  label="Premium"
                  description="One of its kind: marked in the market"
                  {...form.getInputProps('isPremium', { type: 'checkbox' })}
                />
                <Group justify="flex-end">
                  <Button
                    variant="default"
                    onClick={() => {
                      clear();
                      // Who came here first has nowhere to go back to.
                      isFirst ? navigate('/marketplace') : navigate(-1);
                    }}
                  >
                    Cancel
                  </Button>
                  <Button type="submit" loading={create.isPending}>
                    Put up for sale
                  </Button>
                </Group>
              </Stack>
            </form>
          </Paper>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Title order={2} ff="text" fz="sm" fw={400} c="dimmed" mb="xs">
            As others will see it
          </Title>
          <Box className="surface card" p="md" data-premium={values.isPremium}>
            <ItemFace item={preview} />
          </Box>
          <Text fz="sm" c="dimmed" mt="sm">
            A listing cannot be changed afterwards. The money is yours the moment it is bought.
          </Text>
        </Grid.Col>
      </Grid>
    </>
  );
}

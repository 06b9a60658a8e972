import { Text, type TextProps } from '@mantine/core';
import { CURRENCY_NAMES, type Currency, format, minorUnits } from '../money';
import { CURRENCY_TONES } from './words';

/** An amount with its currency: as the API's text, or in minor units. */
export function Money({
  amount,
  currency,
  isLong,
  ...text
}: { amount: string | bigint; currency: Currency; isLong?: boolean } & TextProps) {
  const units = typeof amount === 'bigint' ? amount : minorUnits(amount, currency);
  return (
    <Text component="span" className={isLong ? 'money long' : 'money'} fw={600} {...text}>
      {format(units, currency)} <CurrencyMark currency={currency} />
    </Text>
  );
}

export function CurrencyMark({ currency }: { currency: Currency }) {
  return (
    <span className="mark" data-tone={CURRENCY_TONES[currency]} title={CURRENCY_NAMES[currency]}>
      {currency}
    </span>
  );
}

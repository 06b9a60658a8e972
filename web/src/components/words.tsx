// The API's words, as people read them, each with its colour and sign.
import {
  IconBook2,
  IconBuildingBank,
  IconBulb,
  IconCrown,
  IconDiamond,
  IconHash,
  IconLock,
  IconMessage,
  IconMessageOff,
  IconMessages,
  IconPackage,
  IconPackageOff,
  IconPackages,
  IconPencil,
  IconReceipt,
  IconTag,
  IconTagOff,
  IconTool,
  IconTrash,
  IconUserEdit,
  IconUserPlus,
  IconWorld,
} from '@tabler/icons-react';
import type { ComponentType } from 'react';
import type { Schemas } from '../api/queries';

type Icon = ComponentType<{ size?: number; stroke?: number; 'aria-hidden'?: boolean }>;
type Tone = 'green' | 'blue' | 'orange' | 'gold' | 'violet' | 'red' | 'grey' | 'premium';

export interface Word {
  label: string;
  tone: Tone;
  icon?: Icon;
  about?: string;
}

export const CATEGORY_WORDS: Record<Schemas['Category'], Word & { icon: Icon; plural: string }> = {
  asset: { label: 'Asset', plural: 'Assets', tone: 'blue', icon: IconBuildingBank },
  innovation: { label: 'Innovation', plural: 'Innovations', tone: 'violet', icon: IconBulb },
  service: { label: 'Service', plural: 'Services', tone: 'green', icon: IconTool },
  knowledge: { label: 'Knowledge', plural: 'Knowledge', tone: 'orange', icon: IconBook2 },
};

export const ITEM_STATUS_WORDS: Record<Schemas['ItemStatus'], Word> = {
  available: { label: 'Available', tone: 'green' },
  sold: { label: 'Sold', tone: 'grey' },
  reserved: { label: 'Reserved', tone: 'orange' },
};

export const CURRENCY_TONES: Record<Schemas['Currency'], Tone> = {
  USD: 'green',
  EUR: 'blue',
  BTC: 'orange',
  GOLD: 'gold',
};

export const TRANSACTION_TYPE_WORDS: Record<Schemas['TransactionType'], { label: string; about: string }> = {
  purchase: { label: 'Purchase', about: 'To have and to use' },
  investment: { label: 'Investment', about: 'In the hope that it grows' },
  trade: { label: 'Trade', about: 'To sell it on' },
};

export const CHANNEL_TYPE_WORDS: Record<Schemas['ChannelType'], Word & { icon: Icon; about: string }> = {
  public: { label: 'Public', tone: 'green', icon: IconWorld, about: 'Everybody reads and posts' },
  private: { label: 'Private', tone: 'red', icon: IconLock, about: 'Only you see it' },
  sovereign: { label: 'Sovereign', tone: 'gold', icon: IconCrown, about: 'Everybody reads, only you post' },
};

export const TOPIC_WORDS: Record<Schemas['Topic'], Word> = {
  economic: { label: 'Economic', tone: 'green' },
  philosophical: { label: 'Philosophical', tone: 'violet' },
  strategic: { label: 'Strategic', tone: 'blue' },
  general: { label: 'General', tone: 'grey' },
};

/** What may happen for all to see, as `docs/events.md` has it. */
export const ACTIVITY_WORDS = {
  'item.listed': { label: 'Listed', tone: 'blue', icon: IconTag },
  'item.updated': { label: 'Listing changed', tone: 'grey', icon: IconPencil },
  'item.sold': { label: 'Sold', tone: 'green', icon: IconReceipt },
  'item.resold': { label: 'Offered again', tone: 'blue', icon: IconTag },
  'item.withdrawn': { label: 'Withdrawn', tone: 'grey', icon: IconTagOff },
  'product.created': { label: 'New product', tone: 'blue', icon: IconPackage },
  'product.updated': { label: 'Product changed', tone: 'grey', icon: IconPencil },
  'product.deleted': { label: 'Product gone', tone: 'grey', icon: IconPackageOff },
  'stock.changed': { label: 'Stock', tone: 'grey', icon: IconPackages },
  'stock.low': { label: 'Stock is low', tone: 'orange', icon: IconPackages },
  'stock.out': { label: 'Out of stock', tone: 'red', icon: IconPackageOff },
  'channel.created': { label: 'New channel', tone: 'gold', icon: IconMessages },
  'channel.updated': { label: 'Channel changed', tone: 'grey', icon: IconPencil },
  'channel.deleted': { label: 'Channel closed', tone: 'grey', icon: IconMessageOff },
  'post.created': { label: 'Post', tone: 'orange', icon: IconMessage },
  'post.updated': { label: 'Post edited', tone: 'grey', icon: IconPencil },
  'post.deleted': { label: 'Post deleted', tone: 'grey', icon: IconTrash },
  'user.created': { label: 'Newcomer', tone: 'violet', icon: IconUserPlus },
  'user.updated': { label: 'Profile changed', tone: 'grey', icon: IconUserEdit },
} satisfies Record<string, Word & { icon: Icon }>;

/** The members of a table, typed as what they are. */
export function keysOf<K extends string>(words: Record<K, unknown>): K[] {
  return Object.keys(words) as K[];
}

/** A word of one of these tables. */
export function Mark({ word }: { word: Word }) {
  const Sign = word.icon;
  return (
    <span className="mark" data-tone={word.tone}>
      {Sign && <Sign size={13} stroke={2} aria-hidden />}
      <span dir="auto" title={word.label}>
        {word.label}
      </span>
    </span>
  );
}

export function PremiumMark() {
  return <Mark word={{ label: 'Premium', tone: 'premium', icon: IconDiamond }} />;
}

export function ZoneMark({ zone }: { zone: string }) {
  return zone ? <Mark word={{ label: zone, tone: 'grey', icon: IconHash }} /> : null;
}

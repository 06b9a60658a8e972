// A list of what happened, and what has happened since.
import type { Activity, ActivityFilter, ActivityList } from '../api/queries';

/** The lists hold no more than that. */
const MOST = 1000;

/** With these, others go from the lists that are about the same. */
const SCRUBBING = /^(item\.withdrawn|(post|channel|product)\.deleted)$/;

/** Whether a list has to be read anew when this happens, for more than this changes in it. */
export function needsReading({ type }: Activity, { page = 1 }: ActivityFilter): boolean {
  return page > 1 || SCRUBBING.test(type);
}

/** A first page with what happened on top, where it belongs there and is not there yet. */
export function withNews(list: ActivityList, activity: Activity, { type }: ActivityFilter): ActivityList {
  const { activities, pagination, view } = list;
  const number = activity.number ?? 0;
  const newest = Math.max(numberOf(view.lastEventId), activities[0]?.number ?? 0);
  if (number <= newest || (type && type !== activity.type)) return list;
  const total = Math.min(pagination.total + 1, MOST);
  return {
    ...list,
    activities: [activity, ...activities].slice(0, pagination.limit),
    pagination: { ...pagination, total, pages: Math.ceil(total / pagination.limit) },
  };
}

/** The number in an id, `epoch:number`. */
function numberOf(id: string): number {
  return Number(id.slice(id.lastIndexOf(':') + 1));
}

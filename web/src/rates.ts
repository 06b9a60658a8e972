// Rates out of counters that were read every few seconds.
import type { Sample, Schemas } from './api/queries';

export interface Point {
  at: number;
  /** Requests a second since the point before. */
  rate: number;
}

/** Requests a second between each two samples. */
export function requestRates(samples: readonly Sample[]): Point[] {
  return samples.slice(1).flatMap((sample, index) => {
    const before = samples[index];
    if (!before) return [];
    const seconds = Math.max((sample.at - before.at) / 1000, 0.001);
    return [{ at: sample.at, rate: (sample.requests - before.requests) / seconds }];
  });
}

/** The share of reads that the cache answered, 0 to 1; null while there were none. */
export function hitRatio({ hits, misses }: { hits: number; misses: number }): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}

/** Each replica's share of its service's calls, 0 to 1. */
export function shares(replicas: readonly Schemas['ReplicaStatus'][]): number[] {
  const total = replicas.reduce((sum, { calls }) => sum + calls, 0);
  return replicas.map(({ calls }) => (total === 0 ? 0 : calls / total));
}

/** 3 d 4 h, 4 h 5 min, 5 min 6 s. */
export function duration(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const parts: string[] = [];
  let rest = Math.floor(seconds);
  for (const [name, size] of units) {
    if (parts.length < 2 && (rest >= size || name === 's')) {
      parts.push(`${Math.floor(rest / size)} ${name}`);
      rest %= size;
    }
  }
  return parts.join(' ');
}

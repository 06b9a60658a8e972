import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import type { Point } from '../rates';

/** Milliseconds that the chart looks back. */
const WINDOW = 120_000;
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** Requests a second over the last two minutes. */
export function RequestRate({ rates }: { rates: Point[] }) {
  const end = rates.at(-1)?.at ?? Date.now();
  return (
    <div role="img" aria-label="Requests a second over the last two minutes" style={{ height: 220 }}>
      <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 400, height: 220 }}>
        <AreaChart data={rates} margin={{ top: 6, right: 6, bottom: 0, left: -18 }} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis
            dataKey="at"
            type="number"
            domain={[end - WINDOW, end]}
            ticks={[120, 90, 60, 30, 0].map((seconds) => end - seconds * 1000)}
            tickFormatter={(at: number) => (at === end ? 'now' : `−${Math.round((end - at) / 1000)} s`)}
            stroke="var(--line)"
            tick={{ fill: 'var(--mantine-color-dimmed)', fontSize: 12 }}
            interval={0}
          />
          <YAxis
            allowDecimals={false}
            domain={[0, (most: number) => Math.max(5, Math.ceil(most))]}
            stroke="var(--line)"
            tick={{ fill: 'var(--mantine-color-dimmed)', fontSize: 12 }}
          />
          <Tooltip
            labelFormatter={(at) => clock.format(Number(at))}
            formatter={(rate) => [`${Number(rate).toFixed(1)} requests a second`, '']}
            separator=""
            contentStyle={{ background: 'var(--surface)', border: '1px solid var(--line)', borderRadius: 8 }}
            itemStyle={{ color: 'var(--mantine-color-text)' }}
          />
          <Area
            dataKey="rate"
            type="monotone"
            stroke="var(--accent)"
            strokeWidth={2}
            fill="var(--accent)"
            fillOpacity={0.14}
            isAnimationActive={false}
          />
        </AreaChart>
      </ResponsiveContainer>
    </div>
  );
}

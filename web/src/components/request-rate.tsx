import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import type { Point } from '../rates';

/** Milliseconds that the chart looks back: what there is, within these. */
const SHORTEST = 30_000;
const LONGEST = 120_000;
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

/** Requests a second, two minutes back at most. */
export function RequestRate({ rates }: { rates: Point[] }) {
  const end = rates.at(-1)?.at ?? Date.now();
  const span = Math.min(Math.max(end - (rates[0]?.at ?? end), SHORTEST), LONGEST);
  return (
    <div role="img" aria-label="Chart of the requests a second, two minutes back at most" style={{ height: 220 }}>
      <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 400, height: 220 }}>
        <AreaChart data={rates} margin={{ top: 6, right: 18, bottom: 0, left: -18 }} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis
            dataKey="at"
            type="number"
            domain={[end - span, end]}
            ticks={[1, 0.75, 0.5, 0.25, 0].map((part) => end - part * span)}
            tickFormatter={(at: number) => (at === end ? 'now' : `−${Math.round((end - at) / 1000)} s`)}
            stroke="var(--line)"
            tick={{ fill: 'var(--mantine-color-dimmed)', fontSize: 12 }}
            interval={0}
          />
          <YAxis
            allowDecimals={false}
            domain={[0, 'auto']}
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

import { expect, test } from 'vitest';
import { ApiError, explain } from './problem';

const problem = (status: number, code: string, more = {}) =>
  new ApiError(status, { status, code, detail: 'the detail of it', requestId: 'r-1', ...more });

test('known codes are said as a person would', () => {
  expect(explain(problem(409, 'item_not_available'))).toMatch(/faster/);
  expect(explain(new ApiError(0, {}))).toMatch(/does not answer/);
});

test('unknown ones fall back to what the API says, and failures to where the log has more', () => {
  expect(explain(problem(409, 'brand_new_code'))).toBe('The detail of it.');
  expect(explain(problem(500, 'internal'))).toContain('r-1');
  expect(explain(new ApiError(429, { code: 'rate_limited' }, 3))).toContain('3 seconds');
  expect(explain(new TypeError('x is undefined'))).toMatch(/in this page/);
});

test('fields at fault are found by name', () => {
  const error = problem(400, 'validation_failed', { errors: [{ field: 'name', message: 'is required' }] });
  expect(error.fields).toEqual({ name: 'is required' });
});

test('what passes is told from what stays', () => {
  expect([0, 429, 503, 504].map((status) => new ApiError(status, {}).isPassing)).toEqual([true, true, true, true]);
  expect([400, 401, 404, 409, 500].some((status) => new ApiError(status, {}).isPassing)).toBe(false);
});

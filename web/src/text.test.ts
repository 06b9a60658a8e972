import { expect, test } from 'vitest';
import { lengthProblem, optionalLengthProblem, tagsProblem } from './text';

test('text is trimmed before it counts, and counted in characters', () => {
  expect(lengthProblem('  ', 5)).toBe('This is needed');
  expect(lengthProblem(' 12345 ', 5)).toBeNull();
  expect(lengthProblem('😀'.repeat(5), 5)).toBeNull();
  expect(lengthProblem('123456', 5)).toContain('these are 6');
  expect(optionalLengthProblem('  ', 5)).toBeNull();
  expect(optionalLengthProblem('123456', 5)).toContain('At most 5');
});

test('tags are few and short', () => {
  expect(tagsProblem([])).toBeNull();
  expect(tagsProblem(Array(20).fill('x'.repeat(50)))).toBeNull();
  expect(tagsProblem(Array(21).fill('x'))).toContain('20');
  expect(tagsProblem(['x'.repeat(51)])).toContain('50');
});

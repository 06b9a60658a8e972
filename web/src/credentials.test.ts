import { expect, test } from 'vitest';
import { emailProblem, passwordProblem, usernameProblem } from './credentials';

test.each([
  ['ada', null],
  ['a.b-c_9', null],
  ['x'.repeat(64), null],
  ['ab', 'At least 3'],
  ['x'.repeat(65), 'At most 64'],
  ['ada lovelace', 'Only letters'],
  ['žižek', 'Only letters'],
])('username %j: %s', (name, problem) => {
  expect(usernameProblem(name) ?? '').toContain(problem ?? '');
  expect(usernameProblem(name) === null).toBe(problem === null);
});

test.each([
  ['secret', null],
  ['😀'.repeat(6), null],
  ['x'.repeat(128), null],
  ['12345', 'At least 6'],
  ['x'.repeat(129), 'At most 128'],
])('password %j: %s', (password, problem) => {
  expect(passwordProblem(password) ?? '').toContain(problem ?? '');
  expect(passwordProblem(password) === null).toBe(problem === null);
});

test.each([
  ['', null],
  [' ada@example.org ', null],
  ['žižek@example.org', null],
  ['ada', 'such as'],
  ['@example.org', 'such as'],
  ['ada@lovelace@example.org', 'such as'],
  ['ada lovelace@example.org', 'such as'],
  [`${'x'.repeat(250)}@b.c`, null],
  [`${'x'.repeat(251)}@b.c`, 'At most 254'],
])('e-mail %j: %s', (address, problem) => {
  expect(emailProblem(address) ?? '').toContain(problem ?? '');
  expect(emailProblem(address) === null).toBe(problem === null);
});

import { existsSync } from 'node:fs';
import { defineConfig, devices } from '@playwright/test';

/** The browser of this machine: `scripts/with-chromium` finds or installs one. */
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!executablePath) throw new Error('no Chromium: run ../scripts/with-chromium, or set CHROMIUM to where it is');

export default defineConfig({
  testDir: 'tests',
  globalSetup: './tests/start.ts',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['list']],
  use: {
    ...devices['Desktop Chrome'],
    launchOptions: { executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] },
    trace: 'retain-on-failure',
  },
});

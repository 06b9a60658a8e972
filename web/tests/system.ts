// Real systems to look at: capsim, or a gateway and replicas as processes of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const binaries = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), process.env.CAPSIM_PROFILE ?? 'debug');

/** Signs the tokens of test systems, so that tests can make tokens, too: a key whose seed only tests may know (RFC 8410). */
export const SIGNING_KEY = createPrivateKey({
  key: Buffer.concat([
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    createHash('sha256').update('a key that only tests may know').digest(),
  ]),
  format: 'der',
  type: 'pkcs8',
});
const { crv, kty, x } = createPublicKey(SIGNING_KEY).export({ format: 'jwk' });
/** What it is called (RFC 7638). */
export const KEY_ID = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
const KEYS = {
  JWT_KEY: `${SIGNING_KEY.export({ format: 'pem', type: 'pkcs8' })}`,
  JWKS: JSON.stringify({ keys: [{ crv, kty, x, kid: KEY_ID, alg: 'EdDSA', use: 'sig' }] }),
};
const SERVICES = ['accounts', 'marketplace', 'discourse', 'feed'] as const;
const REPLICAS = 3;
/** Milliseconds for a process to come up. */
const PATIENCE = 60_000;

function start(binary: string, args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(join(binaries, binary), args, {
    cwd: root,
    env: { PATH: process.env.PATH, ...KEYS, RUST_LOG: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.on('error', (error) => {
    throw new Error(`cannot run ${binary}, build it first (cargo build --workspace --bins): ${error.message}`);
  });
  return child;
}

/** Asks a process to stop, and waits until it has. */
async function stop(child: ChildProcess) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${child.spawnfile} ended with ${code}`);
}

function temporaryDirectory() {
  return mkdtempSync(join(tmpdir(), 'capsim-web-'));
}

/** Everything in one process, as `make run` has it, on free ports. */
export async function startCapsim() {
  const data = temporaryDirectory();
  const ready = join(data, 'ready.json');
  const services = SERVICES.map((service) => `--${service}-ports=0,0,0`);
  const ports = ['--gateway-port=0', '--web-port=0', ...services];
  const settings = ['--data-dir', data, '--ready-file', ready, ...ports, '--rate-limit=0', '--auth-rate-limit=0'];
  const child = start('capsim', settings);
  await until('capsim serves', async () => {
    if (child.exitCode !== null) throw new Error(`capsim ended with ${child.exitCode}`);
    return existsSync(ready);
  });
  const places = JSON.parse(readFileSync(ready, 'utf8'));
  return {
    web: places.web.replace('127.0.0.1', 'localhost'),
    gateway: places.gateway.replace('127.0.0.1', 'localhost'),
    async stop() {
      await stop(child);
      rmSync(data, { recursive: true });
    },
  };
}

/** Fills the system at `gateway`, as a newcomer would. */
export async function seed(gateway: string) {
  const child = start('capsim', ['seed', '--gateway', gateway]);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`capsim seed ended with ${code}`);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) server.close();
  return ports;
}

/** A gateway with three replicas of each service, each a process that can be killed. */
export async function startProcesses() {
  const data = temporaryDirectory();
  const [gatewayPort = 0, ...ports] = await freePorts(1 + SERVICES.length * REPLICAS);
  const portsOf = (index: number) => ports.slice(index * REPLICAS, (index + 1) * REPLICAS);
  const where = SERVICES.map(
    (service, index) => `--${service}-replicas=${portsOf(index).map((port) => `127.0.0.1:${port}`)}`,
  );
  const replicas = SERVICES.flatMap((service, index) => {
    const settings = ['--host=127.0.0.1', `--data-dir=${data}`, '--shared-data'];
    // All but the accounts ask them which tokens have ended.
    if (service !== 'accounts') settings.push(...where.slice(0, 1));
    return portsOf(index).map((port) => start(service, [...settings, `--port=${port}`]));
  });
  const limits = ['--rate-limit=0', '--auth-rate-limit=0'];
  const gateway = start('gateway', ['--host=127.0.0.1', `--port=${gatewayPort}`, ...where, ...limits]);
  const url = `http://localhost:${gatewayPort}`;
  await until(`${url} is healthy`, async () => {
    const answer = await fetch(`${url}/status`).catch(() => undefined);
    return (await answer?.json())?.status === 'healthy';
  });
  return {
    gateway: url,
    marketplace: replicas.slice(REPLICAS, 2 * REPLICAS),
    async stop() {
      await stop(gateway);
      await Promise.all(replicas.map(stop));
      rmSync(data, { recursive: true });
    },
  };
}

/** Polls until something holds. */
export async function until(what: string, holds: () => Promise<boolean>) {
  const end = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port.ts';

const binaries = [
  ...globSync('/usr/lib/postgresql/*/bin/initdb').sort().reverse(),
  ...(process.env.PATH ?? '').split(':').map((folder) => join(folder, 'initdb')),
].find((path) => existsSync(path));

/** false, or why a test that needs it is skipped. */
export const noPostgres: false | string =
  binaries === undefined ? 'no initdb here; install it: apt-get install postgresql' : false;

export type Postgres = {
  readonly url: string;
  query(sql: string, values?: readonly unknown[]): Promise<void>;
  /** Its process is gone, and every connection with it. */
  stop(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
};

/** A server of the test's own, on a free port. It refuses root, so that another user runs it there. */
export async function startPostgres(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
  const bin = dirname(binaries!);
  const user = process.getuid?.() === 0 ? identityOf('postgres') : undefined;
  if (user) chownSync(folder, user.uid, user.gid);
  const as = { ...user };
  const data = join(folder, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '--no-sync'], {
    ...as,
    cwd: folder,
    stdio: 'pipe',
  });
  const port = await freePort();
  const url = `postgres://test:secret@127.0.0.1:${port}/postgres`;
  let server: ReturnType<typeof spawn> | undefined;
  const start = async (): Promise<void> => {
    server = spawn(
      join(bin, 'postgres'),
      [
        '-D',
        data,
        '-p',
        `${port}`,
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        `unix_socket_directories=${folder}`,
        '-c',
        'fsync=off',
      ],
      { ...as, cwd: folder, stdio: 'ignore' },
    );
    for (;;) {
      try {
        await query('SELECT 1');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50)); // it says nowhere that it is ready
      }
    }
  };
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server?.once('exit', () => resolve());
      server?.kill('SIGINT');
    });
  const query = async (sql: string, values: readonly unknown[] = []): Promise<void> => {
    const client = new Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      await client.query(sql, [...values]);
    } finally {
      await client.end();
    }
  };
  await start();
  return {
    url,
    query,
    start,
    stop,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function identityOf(user: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

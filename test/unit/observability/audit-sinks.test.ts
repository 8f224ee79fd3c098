import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import { AuditFile } from '../../../src/observability/audit-file.ts';
import { auditOutput } from '../../../src/observability/audit-sink.ts';
import { auditSyslog } from '../../../src/observability/audit-syslog.ts';

const root = mkdtempSync(join(tmpdir(), 'audit-'));
after(() => rmSync(root, { recursive: true }));
const about = { isDenial: true, now: Date.UTC(2026, 5, 1) };

let files = 0;
/** A file's sink, the troubles it told, and a way to wait until all is written. */
function sink(
  path = join(root, `${++files}`, 'audit.log'),
  settings: { maxBytes?: number; kept?: number } = {},
) {
  if (!path.startsWith('/dev/')) mkdirSync(join(path, '..'), { recursive: true });
  const troubles: (string | undefined)[] = [];
  const unrotated: (string | undefined)[] = [];
  const file = new AuditFile(
    { path, maxBytes: 1e6, kept: 2, pause: async () => {}, ...settings },
    (trouble, reason) => (trouble === 'dropped' ? troubles : unrotated).push(reason),
  );
  const read = (suffix = ''): string | undefined =>
    existsSync(path + suffix) ? readFileSync(path + suffix, 'utf8') : undefined;
  /** It can be written to afterwards, too. */
  const settle = (): Promise<void> => file.close();
  return { path, file, troubles, unrotated, read, settle };
}

test('lines come in order, behind what was there, readable by owner and group alone', async () => {
  const { path, file, read, settle } = sink();
  writeFileSync(path, 'before\n');
  rmSync(path);
  for (const line of ['a\n', 'b\n', 'c\n']) file.write(line);
  await settle();
  file.write('d\n');
  await settle();
  assert.equal(read(), 'a\nb\nc\nd\n');
  assert.equal(statSync(path).mode & 0o777, 0o640 & ~process.umask());
  assert.deepEqual(file.counts, { written: 4, dropped: 0 });
});

test('a full file makes room for the next one, and so many are kept', async () => {
  const { file, read, settle } = sink(undefined, { maxBytes: 10 });
  for (const line of ['1111\n', '2222\n', '3333\n', '4444\n', '5555\n', '6666\n', '7777\n']) {
    file.write(line);
    await settle();
  }
  assert.equal(read(), '7777\n');
  assert.equal(read('.1'), '5555\n6666\n');
  assert.equal(read('.2'), '3333\n4444\n');
  assert.equal(read('.3'), undefined);
  assert.deepEqual(file.counts, { written: 7, dropped: 0 });
});

test('a folder where a full file would go: it grows on, nothing is lost, and both ends of the trouble are told', async () => {
  const { path, file, troubles, unrotated, read, settle } = sink(undefined, { maxBytes: 10 });
  mkdirSync(`${path}.2`);
  for (const line of ['1111\n', '2222\n', '3333\n', '4444\n', '5555\n', '6666\n']) {
    file.write(line);
    await settle();
  }
  assert.equal(read('.1'), '1111\n2222\n');
  assert.equal(read(), '3333\n4444\n5555\n6666\n');
  assert.deepEqual(unrotated, [`${path}.2 is a folder, where a full file would go; move it away`]);
  rmSync(`${path}.2`, { recursive: true });
  file.write('7777\n');
  await settle();
  assert.equal(read('.2'), '1111\n2222\n');
  assert.equal(read(), '7777\n');
  assert.deepEqual(file.counts, { written: 7, dropped: 0 });
  assert.deepEqual(unrotated.slice(1), [undefined]);
  assert.deepEqual(troubles, []);
});

test('a folder is left where it is, and what is full moves up to the first number that is free', async () => {
  const { path, file, read, settle } = sink(undefined, { maxBytes: 5, kept: 3 });
  mkdirSync(`${path}.3`);
  for (const line of ['1111\n', '2222\n', '3333\n', '4444\n']) {
    file.write(line);
    await settle();
  }
  assert.deepEqual([read('.2'), read('.1'), read()], ['1111\n', '2222\n', '3333\n4444\n']);
  assert.ok(lstatSync(`${path}.3`).isDirectory());
});

test('a link is written through, and neither moved away nor begun anew: what it leads to is not ours', async () => {
  const folder = mkdtempSync(join(root, 'link-'));
  symlinkSync('real.log', join(folder, 'audit.log'));
  const { path, file, read, settle } = sink(join(folder, 'audit.log'), { maxBytes: 10 });
  for (const line of ['1111\n', '2222\n', '3333\n']) {
    file.write(line);
    await settle();
  }
  assert.equal(read(), '1111\n2222\n3333\n');
  assert.ok(lstatSync(path).isSymbolicLink());
  assert.equal(read('.1'), undefined);
});

for (const [what, move] of [
  ['moved away, as logrotate does', (path: string) => renameSync(path, `${path}.old`)],
  ['deleted', (path: string) => rmSync(path)],
  [
    'replaced by another',
    (path: string) => {
      writeFileSync(`${path}.new`, '');
      renameSync(`${path}.new`, path);
    },
  ],
] as const)
  test(`a file that was ${what} is begun anew`, async () => {
    const { path, file, read, settle } = sink();
    file.write('a\n');
    // Open, as it stays between two writes.
    while (file.counts.written === 0) await new Promise(setImmediate);
    move(path);
    file.write('b\n');
    await settle();
    assert.equal(read(), 'b\n');
  });

test('what can not be opened is told at once, without a line to write', async () => {
  const path = join(root, 'folder.log');
  mkdirSync(path);
  const { file, troubles, settle } = sink(path);
  await settle();
  assert.match(troubles[0]!, /EISDIR/);
  assert.deepEqual(file.counts, { written: 0, dropped: 0 });
});

test('a disk that is full: lines are dropped and counted, and it is told once', async () => {
  const { file, troubles, settle } = sink('/dev/full');
  for (const line of ['a\n', 'b\n']) {
    file.write(line);
    await settle();
  }
  assert.deepEqual(file.counts, { written: 0, dropped: 2 });
  assert.equal(troubles.length, 1);
  assert.match(troubles[0]!, /ENOSPC/);
});

test('a pipe that nobody reads: lines are dropped and counted, and nothing waits for it', async () => {
  const path = join(root, 'unread.fifo');
  execFileSync('mkfifo', [path]);
  const { file, troubles, settle } = sink(path);
  file.write('a\n');
  await settle();
  assert.deepEqual(file.counts, { written: 0, dropped: 1 });
  assert.match(troubles[0]!, /ENXIO/);
});

test('a folder that is missing is no matter once it is there; the end of the trouble is told', async () => {
  const { path, file, troubles, read, settle } = sink();
  await settle();
  rmSync(join(path, '..'), { recursive: true });
  file.write('a\n');
  await settle();
  assert.deepEqual(file.counts, { written: 0, dropped: 1 });
  mkdirSync(join(path, '..'));
  file.write('b\n');
  await settle();
  assert.equal(read(), 'b\n');
  assert.match(troubles[0]!, /ENOENT/);
  assert.deepEqual(troubles.slice(1), [undefined]);
});

test('what waits has a bound: four megabytes, whatever comes', async () => {
  const { file, troubles, settle } = sink();
  const line = `${'x'.repeat(1023)}\n`;
  // Nothing is written before this turn of the loop is over.
  for (let i = 0; i < 10_000; i++) file.write(line);
  assert.equal(file.counts.dropped, 10_000 - 4096);
  assert.match(troubles[0]!, /not written fast enough/);
  await settle();
  assert.equal(file.counts.written, 4096);
});

test('a reader of standard error that is stuck: dropped and counted, and nobody waits', async () => {
  const troubles: (string | undefined)[] = [];
  const stuck = new Writable({ highWaterMark: 1, write: () => {} });
  const output = auditOutput(stuck, (_, reason) => troubles.push(reason));
  const line = 'x'.repeat(1024 * 1024);
  for (let i = 0; i < 6; i++) output.write(line, about);
  assert.deepEqual(output.counts, { written: 4, dropped: 2 });
  assert.deepEqual(troubles, ['they are not read fast enough']);
  await output.close();
});

for (const [address, type] of [
  ['127.0.0.1', 'udp4'],
  ['::1', 'udp6'],
] as const)
  test(`syslog at ${address}: RFC 5424, a denial as notice, an admission as informational`, async () => {
    const server = createSocket(type);
    server.bind(0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const syslog = auditSyslog({ address, port, hostname: 'gate way' }, (_, reason) =>
      assert.equal(reason, undefined),
    );
    const received: string[] = [];
    server.on('message', (message) => received.push(message.toString()));
    for (const isDenial of [true, false]) {
      const [,] = await Promise.all([
        once(server, 'message'),
        syslog.write('{"a":1}\n', { ...about, isDenial }),
      ]);
    }
    assert.deepEqual(
      received,
      [85, 86].map(
        (priority) =>
          `<${priority}>1 2026-06-01T00:00:00.000Z gateway mtls-enforcer ${process.pid} decision - {"a":1}`,
      ),
    );
    await syslog.close();
    server.close();
  });

test('syslog: a line that no datagram holds is dropped and counted', async () => {
  const told = Promise.withResolvers<string | undefined>();
  const syslog = auditSyslog({ address: '127.0.0.1', port: 9, hostname: 'h' }, (_, reason) =>
    told.resolve(reason),
  );
  syslog.write('x'.repeat(70_000), about);
  assert.match((await told.promise)!, /^127\.0\.0\.1:9: .*EMSGSIZE/);
  assert.deepEqual(syslog.counts, { written: 0, dropped: 1 });
  await syslog.close();
});

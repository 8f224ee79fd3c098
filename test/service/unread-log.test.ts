import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, credentials } from '@grpc/grpc-js';
import { freePort } from '../support/free-port.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'unread-log-'));
after(() => rmSync(folder, { recursive: true }));

/** A protobuf field of less than 16 KiB, by hand. */
const field = (number: number, content: Uint8Array): Buffer =>
  Buffer.concat([Buffer.of((number << 3) | 2, (content.length & 127) | 128, content.length >> 7), content]);
const word = (number: number, text: string): Buffer => field(number, Buffer.from(text));
/** attributes.request.http: a path that no API has, and a line of some 600 bytes about it. */
const stranger = field(
  1,
  field(
    4,
    field(
      2,
      Buffer.concat([word(2, 'GET'), word(4, `/nothing/${'x'.repeat(240)}`), word(5, 'h'.repeat(240))]),
    ),
  ),
);

const check = (client: Client): Promise<void> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/envoy.service.auth.v3.Authorization/Check',
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      stranger,
      { deadline: Date.now() + 20_000 },
      (error) => (error ? reject(error) : resolve()),
    );
  });

async function denials(client: Client, count: number): Promise<void> {
  for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: 100 }, () => check(client)));
}

test('a log that nobody reads is dropped and counted, and does not hold up the end', {
  timeout: 120_000,
}, async () => {
  const port = await freePort();
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    `[enforcer.authService]\nport = ${port}\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\nmutualSSL = "off"\n`,
  );
  // A pipe as a shell's `|` is, held open by us: read when we say so.
  const pipe = join(folder, 'log');
  execFileSync('mkfifo', [pipe]);
  const held = openSync(pipe, constants.O_RDWR);
  const service = spawn(process.execPath, [start, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', held],
  });
  try {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 30_000, (error) => (error ? reject(error) : resolve())),
    );
    const asked = 10_000;
    await denials(client, asked);

    let denied = 0;
    let dropped = 0;
    const reader = spawn('cat', [pipe], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: reader.stdout })) {
      if (line.includes(' denied: ')) denied++;
      const lines = /lines of this log were dropped.* lines=(\d+)/.exec(line)?.[1];
      if (lines === undefined) continue;
      dropped = Number(lines);
      break;
    }
    reader.kill();
    await once(reader, 'exit');
    assert.ok(dropped > 1_000, `${dropped} dropped`);
    assert.equal(denied + dropped, asked);

    await denials(client, 1_000); // more than a pipe takes
    client.close();
    service.kill('SIGTERM');
    assert.deepEqual(await once(service, 'exit'), [0, null]);
  } finally {
    service.kill('SIGKILL');
  }
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fetchBytes } from '../../src/feeds/fetch.ts';
import { Child } from '../support/child.ts';
import { freePort } from '../support/free-port.ts';
import { type OpensslCa, opensslCa } from '../support/openssl-ca.ts';
import { type Running, running, sending, soon, table } from '../support/revocation-service.ts';
import { type Answer, webServer } from '../unit/feeds/revocation-world.ts';

/** One byte from time to time, for ever. */
const drip = (response: ServerResponse): void => {
  const more = setInterval(() => response.write('0'), 50);
  response.on('close', () => clearInterval(more));
};
const flood = (response: ServerResponse): void => {
  const piece = Buffer.alloc(65_536);
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
    response.once('drain', more);
  };
  more();
};
const own =
  (text: string): Answer =>
  ({ socket }) =>
    void socket.end(text);

/** What a source does, whatever it is a source of. */
const troubles: readonly (readonly [what: string, answer: Answer])[] = [
  ['is dead', ({ socket }) => void socket.destroy()],
  ['hangs', () => {}],
  ['is slow', (_, response) => drip(response)],
  ['is endless', (_, response) => flood(response)],
  ['has headers without end', ({ socket }) => flood(socket as unknown as ServerResponse)],
  ['sends garbage', sending(() => Buffer.from('garbage'))],
  ['sends nothing', sending(() => Buffer.alloc(0))],
  ['redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end()],
  [
    'switches protocols',
    own('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  ],
  ['says not modified, unasked', own('HTTP/1.1 304 Not Modified\r\n\r\n')],
  ['breaks off', own('HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n0')],
  [
    'says in one answer that it has two lengths',
    own('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n00'),
  ],
];

type Source = {
  /** Lines of the table, with this URL in it. */
  readonly lines: (url: string) => readonly string[];
  readonly good: Answer;
  /** Of before the revocation, and that of another CA. */
  readonly old: Answer;
  readonly foreign: Answer;
};

/** As the service asks: `openssl ocsp` takes no connection that is kept. */
const askOf = (url: string): Promise<Buffer> =>
  fetchBytes(url, { accept: '*/*', maxBytes: 65_536, signal: AbortSignal.timeout(20_000) });

/** A responder of another CA, asked about whatever. */
async function strangeAnswer(stranger: OpensslCa): Promise<Answer> {
  const { url } = await stranger.ocsp();
  return (request, response) => void askOf(`${url}${request.url}`).then((bytes) => response.end(bytes));
}

const ca = opensslCa('Troubled CA');
const stranger = opensslCa('Strange CA');
const [client, other] = [ca.issue('client'), ca.issue('other')];
const oldCrl = ca.crl();
const responder = await ca.ocsp();
const ask = (path: string): Promise<Buffer> => askOf(`${responder.url}${path}`);
const answers = new Map<string, { old: Buffer; now: Buffer }>();
// What is asked about each, as the service asks.
const paths: string[] = [];
const server = await webServer((request) => {
  paths.push(request.url!);
  request.socket.destroy();
});
const service = await running(ca, table(`ocspResponder = "${server.url}"`));
for (const one of [client, other]) await service.verdict(one);
while (new Set(paths).size < 2) await service.feed(({ kind }) => kind === 'failed');
await service.stop();
for (const path of new Set(paths)) answers.set(path, { old: await ask(path), now: Buffer.alloc(0) });
ca.revoke('client');
const crl = ca.crl();
// Of the answers after a revocation the first is still the old one.
await ask(paths[0]!);
for (const [path, one] of answers) one.now = await ask(path);
const saying =
  (which: 'old' | 'now'): Answer =>
  (request, response) =>
    response.end(answers.get(request.url!)?.[which]);
const sources: Readonly<Record<string, Source>> = {
  CRL: {
    lines: (url) => [`crlUrls = ["${url}/ca.crl"]`],
    good: sending(() => crl),
    old: sending(() => oldCrl),
    foreign: sending(() => stranger.crl()),
  },
  OCSP: {
    lines: (url) => [`ocspResponder = "${url}"`],
    good: saying('now'),
    old: saying('old'),
    foreign: await strangeAnswer(stranger),
  },
};

/** Of two sources that are asked, each again only once it has been answered, the third question comes after an answer. */
async function tried(service: Running, { asked }: { readonly asked: readonly string[] }): Promise<void> {
  const from = asked.length;
  while (asked.length < from + 3) await service.feed(() => true);
}

describe('a source of revocation in trouble', { timeout: 300_000 }, () => {
  for (const kind of ['CRL', 'OCSP'])
    it(`${kind}: whatever it does, what was revoked stays so and what was good stays so`, async () => {
      const { lines, good, old, foreign } = sources[kind]!;
      const server = await webServer(good);
      const service = await running(ca, table(...lines(server.url), 'timeout = 1'), { times: soon });
      for (const one of [client, other]) await service.verdict(one);
      while ((await service.verdict(other)) !== 'allow') await service.feed(({ kind }) => kind === 'read');
      await service.feed((event) => event.kind === 'read');
      for (const [what, answer] of [...troubles, ['is old', old], ['is foreign', foreign]] as const) {
        server.answer = answer;
        await tried(service, server);
        assert.match(await service.verdict(client), /^certificate_revoked: /, what);
        assert.equal(await service.verdict(other), 'allow', what);
      }
    });

  for (const kind of ['CRL', 'OCSP'])
    for (const mode of ['hard-fail', 'soft-fail'])
      it(`${kind}: while nothing is known, ${mode} decides, whatever it does`, async () => {
        const { lines, foreign } = sources[kind]!;
        const server = await webServer(foreign);
        const all = [...troubles, ['is foreign', foreign]] as const;
        server.answer = all[0][1];
        const text = table(...lines(server.url), 'timeout = 1', `mode = "${mode}"`);
        const service = await running(ca, text, { times: soon });
        await service.verdict(other);
        for (const [what, answer] of all) {
          server.answer = answer;
          await tried(service, server);
          const verdict = await service.verdict(other);
          const expected = mode === 'soft-fail' ? /^allow$/ : /^revocation_unknown: /;
          assert.match(verdict, expected, what);
        }
      });
});

describe('a disk that is full', { timeout: 60_000 }, () => {
  it('is told once; the service starts, reloads and takes new lists', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'full-disk-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const ca = opensslCa('Kept nowhere CA');
    const published = join(ca.folder, 'published.crl');
    writeFileSync(published, ca.crl());
    const server = await webServer(sending(() => ca.crl()));
    const config = join(folder, 'config.toml');
    writeFileSync(
      config,
      `[enforcer.authService]
port = ${await freePort()}
${table(`crlUrls = ["${server.url}/ca.crl"]`, `crlFiles = ["${published}"]`, 'cacheDir = "cache"')}
[[clients]]
alias = "partners"
caFile = "${ca.certificateFile}"
[[apis]]
name = "own"
version = "1"
basePath = "/own"
aliases = ["partners"]
`,
    );
    // No file may have a single byte: the same for root, on every disk.
    const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));
    const limited = ['/bin/sh', '-c', 'ulimit -f 0; exec "$@"', 'sh'];
    const service = new Child('enforcer', [...limited, process.execPath, start, 'serve', '--config', config]);
    after(() => service.stop());
    await service.line(/\bstarted\b/);
    await service.line(/can't keep a copy on disk, which a restart would need.*EFBIG/);
    for (const revoked of [1, 2]) {
      const name = `client${revoked}`;
      ca.issue(name);
      ca.revoke(name);
      const from = service.lines.length;
      writeFileSync(published, ca.crl());
      await service.line(new RegExp(`read a list of revoked certificates .*revoked=${revoked}\\b`), from);
      service.kill('SIGHUP');
      await service.line(/\breloaded\b/, from);
    }
    assert.equal(service.lines.filter((line) => line.includes("can't keep a copy")).length, 1);
  });
});

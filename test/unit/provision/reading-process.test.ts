import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { disk } from '../../../src/documents/files.ts';
import { type Entry, entriesOf, readEntry } from '../../../src/provision/definitions.ts';
import { readOwnConfig, resolver } from '../../../src/provision/own-config.ts';
import { ReadingError, type ReadingLimits, ReadingProcess } from '../../../src/provision/reading-process.ts';
import { version } from '../../../src/provision/version.ts';
import { selfSigned } from '../../support/certificate-authority.ts';

const folder = mkdtempSync(join(tmpdir(), 'reading-'));
after(() => rmSync(folder, { recursive: true }));
const { pem } = await selfSigned({ subject: 'CN=acme' });
writeFileSync(
  join(folder, 'clients.yaml'),
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: clients\ndata:\n  acme: ${JSON.stringify(pem)}\n`,
);
// More than one part of a message holds.
const count = 250;
for (let i = 0; i < count; i++)
  writeFileSync(
    join(folder, `${i}.apk-conf`),
    `name: a${i}\nbasePath: /a${i}\nversion: "1"\ntype: REST\nauthentication:\n  - {authType: OAuth2, enabled: false}\n  - {authType: mTLS, required: mandatory, certificates: [{name: clients, key: acme}]}\noperations: [{target: /x, verb: GET}]\n`,
  );
const file = join(folder, 'config.toml');
writeFileSync(file, '[[definitions]]\nkind = "apk"\npath = "."\n');

async function reading<T>(use: (reader: ReadingProcess) => Promise<T>, limits?: ReadingLimits): Promise<T> {
  const reader = new ReadingProcess(limits);
  try {
    return await use(reader);
  } finally {
    await reader.close();
  }
}
function theEntry(): Entry {
  const own = readOwnConfig(file, {}, disk);
  assert.ok('ok' in own);
  return entriesOf(own.ok.config, resolver(file))[0]!;
}
const limits: ReadingLimits = { patience: 60_000, heapMegabytes: 512, version: version() };
const failsWith = (message: RegExp) => (error: unknown) =>
  error instanceof ReadingError && message.test(error.message);

const isLinux = process.platform === 'linux';
const theReader = (): number => {
  const threads = readdirSync('/proc/self/task');
  const children = threads.flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  const [reader] = children;
  assert.ok(reader !== undefined);
  return reader;
};
test('who reads steps back behind who decides', { skip: !isLinux && 'needs Linux’s /proc' }, () =>
  reading(async (reader) => {
    await reader.own(file, {});
    assert.equal(getPriority(theReader()), Math.min(getPriority() + 5, 19));
  }),
);

test('who reads knows nothing secret of the environment', {
  skip: !isLinux && 'needs Linux’s /proc',
}, async () => {
  enableCompileCache(join(folder, 'compiled'));
  process.env.SOME_PASSWORD = 'secret';
  await reading(async (reader) => {
    await reader.own(file, {});
    const names = readFileSync(`/proc/${theReader()}/environ`, 'utf8').split('\0');
    assert.deepEqual(
      names
        .map((name) => name.split('=')[0])
        .filter(Boolean)
        .sort(),
      ['NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_COMPILE_CACHE'],
    );
  });
});

test('another process reads what would be read here, and reads no more where it is the same', () =>
  reading(async (reader) => {
    const own = await reader.own(file, {});
    assert.ok('ok' in own);
    const direct = readOwnConfig(file, {}, disk);
    assert.ok('ok' in direct);
    assert.equal(own.ok.digest, direct.ok.digest);
    assert.deepEqual(own.ok.config, direct.ok.config);
    const entry = theEntry();
    const first = await reader.entry(entry, new Map());
    assert.equal(first.definitions.apis.length, count);
    assert.deepEqual(first.definitions, structuredClone(readEntry(entry)));
    const second = await reader.entry(entry, new Map(), { known: first });
    assert.equal(second.definitions, first.definitions);
    writeFileSync(join(folder, '0.apk-conf'), 'name: [');
    const third = await reader.entry(entry, new Map(), { known: first });
    assert.match(third.definitions.problems[0]!.message, /YAML/);
  }));

test('whoever asks is told of a reading that takes too long, needs too much, or is ended', async () => {
  const ask = (reader: ReadingProcess) => reader.entry(theEntry(), new Map());
  await assert.rejects(reading(ask, { ...limits, patience: 1 }), failsWith(/^took more than 0\.001 s$/));
  await assert.rejects(reading(ask, { ...limits, heapMegabytes: 8 }), failsWith(/^needed more than 8 MB$/));
  const reader = new ReadingProcess();
  const asked = assert.rejects(ask(reader), failsWith(/^was ended/));
  await reader.close();
  await asked;
  await assert.rejects(ask(reader), failsWith(/^was ended$/));
});

test('what was upgraded beneath a service that runs reads nothing for it', () =>
  assert.rejects(
    reading((reader) => reader.own(file, {}), { ...limits, version: '0.0.1' }),
    failsWith(
      /^is not done: the program on the disk is of version .*, and what runs of 0\.0\.1; restart it$/,
    ),
  ));

test('a reading that hangs ends by itself, and not those after it', async () => {
  const reader = new ReadingProcess({ ...limits, patience: 10_000 });
  const own = () => reader.own(file, {});
  assert.ok('ok' in (await own()));
  const [child, ...others] = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], {
    encoding: 'utf8',
  })
    .split('\n')
    .filter((line) => line.includes('mtls-enforcer-reader'));
  assert.deepEqual(others, []);
  const pid = Number.parseInt(child!, 10);
  process.kill(pid, 'SIGUSR1'); // as `pkill -USR1 mtls-enforcer` sends it
  assert.ok('ok' in (await own()));
  process.kill(pid, 'SIGSTOP');
  await assert.rejects(own(), failsWith(/^took more than 10 s$/));
  assert.ok('ok' in (await own()));
  await reader.close();
});

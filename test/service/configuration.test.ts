import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decide } from '../../src/enforcer.ts';
import { Configuration, type ConfigurationEvent } from '../../src/service/configuration.ts';
import { request } from '../support/attributes.ts';
import { selfSigned } from '../support/certificate-authority.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';

const root = mkdtempSync(join(tmpdir(), 'configuration-'));
after(() => rmSync(root, { recursive: true }));
const acme = (await selfSigned({ subject: 'CN=acme' })).pem;

/** A folder with config.toml and a foreign API for each of these paths. */
function folder(name: string, foreign: readonly string[], own = ''): string {
  const at = join(root, name);
  mkdirSync(join(at, 'apis'), { recursive: true });
  writeFileSync(join(at, 'acme.pem'), acme);
  for (const path of foreign) writeForeign(at, path);
  writeFileSync(join(at, 'config.toml'), config(own));
  return at;
}
const writeForeign = (at: string, path: string): void =>
  writeFileSync(
    join(at, 'apis', `${path}.apk-conf`),
    `name: "${path}"\nbasePath: "/${path}"\nversion: "1"\ntype: "REST"\noperations:\n  - target: "/*"\n    verb: "GET"\n    secured: true\nauthentication:\n  - authType: OAuth2\n    enabled: false\n`,
  );
const config = (client = ''): string => `[[definitions]]
kind = "apk"
path = "apis/"
[[clients]]
alias = "acme"
file = "acme.pem"
${client}
[[apis]]
name = "own"
version = "1"
basePath = "/own"
aliases = ["acme"]
`;

type Running = {
  readonly configuration: Configuration;
  readonly events: readonly ConfigurationEvent[];
  /** Waits for an event of which this holds, later than what was seen. */
  readonly event: (wanted: (event: ConfigurationEvent) => boolean) => Promise<ConfigurationEvent>;
  readonly code: (path: string, certificate?: string) => Promise<string>;
};

async function running(at: string, use: (running: Running) => Promise<void>): Promise<void> {
  const events: ConfigurationEvent[] = [];
  const waiting = new Set<() => void>();
  const configuration = new Configuration({
    file: join(at, 'config.toml'),
    env: {},
    tell: (event) => {
      events.push(event);
      for (const wake of waiting) wake();
    },
  });
  let seen = 0;
  try {
    const started = await configuration.start();
    assert.ok('ok' in started, JSON.stringify(started));
    await use({
      configuration,
      events,
      event: async (wanted) => {
        for (;;) {
          while (seen < events.length) {
            const event = events[seen++]!;
            if (wanted(event)) return event;
          }
          await new Promise<void>((wake) => waiting.add(wake));
        }
      },
      code: async (path, certificate) => {
        const attributes = request({ path, certificate: certificate ? encodeURIComponent(certificate) : '' });
        const decision = await decide(attributes, configuration.inForce.snapshot, Date.parse('2026-06-01'));
        return decision.outcome === 'allow' ? 'allow' : decision.code;
      },
    });
  } finally {
    await configuration.close();
  }
}
const isInForce = (event: ConfigurationEvent): boolean => event.kind === 'in-force' && !event.reading;
const isRefused = (event: ConfigurationEvent): boolean =>
  event.kind === 'refused' || event.kind === 'refused-whole';

test('a start with what is wrong says so, and leaves nothing running', async () => {
  const at = folder('wrong', [], 'fiel = "x"');
  const configuration = new Configuration({ file: join(at, 'config.toml'), env: {}, tell: () => {} });
  const started = await configuration.start();
  assert.ok('problems' in started);
  assert.match(started.problems[0]!.message, /unknown key; did you mean "file"/);
});

test('a reload that is refused changes nothing, and the next good one counts', async () => {
  const at = folder('refused', ['pets']);
  await running(at, async ({ configuration, event, code }) => {
    const before = configuration.inForce;
    const good = readFileSync(join(at, 'config.toml'), 'utf8');
    for (const broken of [
      '',
      '[[apis',
      config('notAfter = 7'),
      Buffer.from([0xff, 0xfe, 0]),
      good.slice(0, 60),
    ]) {
      writeFileSync(join(at, 'config.toml'), broken);
      configuration.reload();
      await event(isRefused);
      assert.equal(configuration.inForce, before);
    }
    writeFileSync(join(at, 'config.toml'), config('disabled = true'));
    configuration.reload();
    await event(isInForce);
    assert.ok(configuration.inForce.generation > before.generation);
    assert.equal(await code('/own/x', acme), 'alias_disabled');
    assert.equal(await code('/pets/1/x'), 'allow');
  });
});

test('config.toml takes effect while its foreign files are still being read, and they then do, too', async () => {
  const names = Array.from({ length: 3000 }, (_, i) => `api-${i}`);
  const at = folder('slow', names);
  await running(at, async ({ configuration, event, code }) => {
    assert.equal(await code('/own/x', acme), 'allow');
    writeFileSync(join(at, 'config.toml'), config('disabled = true'));
    writeForeign(at, 'late');
    configuration.reload();
    const first = await event(({ kind }) => kind === 'in-force');
    assert.ok(first.kind === 'in-force' && first.reading);
    assert.equal(await code('/own/x', acme), 'alias_disabled', 'before the foreign files were read');
    assert.equal(await code('/api-7/1/x'), 'allow', 'what is known of them stays');
    await event(isInForce);
    assert.equal(await code('/late/1/x'), 'allow');
  });
});

for (const [what, refused] of [
  ['is wrong by itself', config('fiel = "x"')],
  [
    'names no foreign files any more',
    config()
      .replace('aliases = ["acme"]', 'aliases = ["nobody"]')
      .replace(/^\[\[definitions[^[]*/, ''),
  ],
  [
    'asks for something else of them',
    config()
      .replace('aliases = ["acme"]', 'aliases = ["nobody"]')
      .replace('path = "apis/"', 'path = "apis/"\noptionalCertificate = "reject-wrong"'),
  ],
] as const)
  test(`a refused reload that ${what} neither ends the reading of what is in force nor counts for it`, async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `api-${i}`);
    const at = folder(`overtaken ${what}`, names);
    await running(at, async ({ configuration, event, code }) => {
      writeForeign(at, 'late');
      configuration.reload();
      await event((each) => each.kind === 'in-force' && each.reading);
      writeFileSync(join(at, 'config.toml'), refused);
      configuration.reload();
      await event(isRefused);
      await event(isInForce);
      assert.equal(await code('/late/1/x'), 'allow');
      const late = configuration.inForce.config.apis.find(({ name }) => name === 'late');
      assert.notEqual(late?.optionalCertificate, 'reject-wrong');
    });
  });

test('a change in the database does not end the reading of foreign files, and counts after it', {
  skip: noPostgres,
}, async () => {
  const names = Array.from({ length: 3000 }, (_, i) => `api-${i}`);
  const at = folder('database', names);
  const database = await startPostgres();
  try {
    await database.query(`
      CREATE TABLE AM_API (API_ID INTEGER PRIMARY KEY, API_PROVIDER VARCHAR(200), API_NAME VARCHAR(200), API_VERSION VARCHAR(30), CONTEXT VARCHAR(256));
      CREATE TABLE AM_API_CLIENT_CERTIFICATE (TENANT_ID INTEGER, ALIAS VARCHAR(45), API_ID INTEGER, CERTIFICATE BYTEA, REMOVED BOOLEAN, TIER_NAME VARCHAR(512));
      INSERT INTO AM_API VALUES (1, 'admin', 'PizzaShack', '1.0.0', '/pizzashack/1.0.0');`);
    await database.query(
      "INSERT INTO AM_API_CLIENT_CERTIFICATE VALUES (-1234, 'acme', 1, $1, FALSE, 'Gold')",
      [Buffer.from(acme)],
    );
    mkdirSync(join(at, 'exported'));
    writeFileSync(join(at, 'exported', 'deployment.toml'), '');
    const table = `[[definitions]]\nkind = "api-manager"\npath = "exported/"\ndatabase = "${database.url}"\n`;
    writeFileSync(join(at, 'config.toml'), `${config()}\n${table}`);
    await running(at, async ({ configuration, event }) => {
      const isRemoved = (): boolean =>
        configuration.inForce.config.apis.some(
          ({ name, clients }) => name === 'PizzaShack' && clients.every(({ disabled }) => disabled),
        );
      const isLate = (): boolean => configuration.inForce.config.apis.some(({ name }) => name === 'late');
      writeForeign(at, 'late');
      configuration.reload();
      await event((each) => each.kind === 'in-force' && each.reading);
      assert.deepEqual([isRemoved(), isLate()], [false, false]);
      await database.query('UPDATE AM_API_CLIENT_CERTIFICATE SET REMOVED = TRUE');
      await database.query('NOTIFY am_api_client_certificate');
      await event(() => isRemoved());
      assert.ok(isLate(), 'read, as the reload asked for');
    });
  } finally {
    await database.remove();
  }
});

test('a folder that is away at a reload takes no API away, and gives no path to another', async () => {
  const at = folder('away', ['pets'], '');
  const text = readFileSync(join(at, 'config.toml'), 'utf8');
  writeFileSync(
    join(at, 'config.toml'),
    `${text}[[apis]]\nname = "site"\nversion = "1"\nbasePath = "/"\nmutualSSL = "off"\n`,
  );
  writeFileSync(
    join(at, 'apis', 'pets.apk-conf'),
    'name: "pets"\nbasePath: "/pets"\nversion: "1"\ntype: "REST"\noperations:\n  - target: "/*"\n    verb: "GET"\n    secured: true\n    scopes: ["s"]\nauthentication:\n  - authType: OAuth2\n    enabled: false\n  - authType: mTLS\n    required: mandatory\n    certificates:\n      - name: none\n        key: none\n',
  );
  await running(at, async ({ configuration, event, code }) => {
    const before = await code('/pets/1/x');
    assert.notEqual(before, 'allow');
    renameSync(join(at, 'apis'), join(at, 'elsewhere'));
    configuration.reload();
    await event(isInForce);
    assert.equal(await code('/pets/1/x'), before);
    assert.ok(configuration.inForce.problems.some(({ message }) => message.includes('names no file')));
    renameSync(join(at, 'elsewhere'), join(at, 'apis'));
    configuration.reload();
    await event(isInForce);
    assert.equal(await code('/pets/1/x'), before);
    assert.ok(!configuration.inForce.problems.some(({ message }) => message.includes('names no file')));
  });
});

test('many reloads at once are one after the other, and the last state counts', async () => {
  const at = folder('many', ['pets']);
  await running(at, async ({ configuration, event, code }) => {
    for (let i = 0; i < 20; i++) {
      writeFileSync(join(at, 'config.toml'), config(i % 2 === 0 ? 'disabled = true' : 'tier = "Gold"'));
      configuration.reload();
    }
    writeFileSync(join(at, 'config.toml'), config('disabled = true\ntier = "Last"'));
    configuration.reload();
    await event((seen) => isInForce(seen) && configuration.inForce.config.clients[0]?.tier === 'Last');
    assert.equal(await code('/own/x', acme), 'alias_disabled');
  });
});

test('what is closed while it reads takes over nothing any more', async () => {
  const at = folder('closed', ['pets']);
  await running(at, async ({ configuration, events }) => {
    configuration.reload();
    await configuration.close();
    assert.ok(!events.some(({ kind }) => kind === 'in-force'));
  });
});

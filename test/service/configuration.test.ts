import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
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
  mkdirSync(join(at, 'apis', 'own'), { recursive: true });
  writeFileSync(join(at, 'acme.pem'), acme);
  for (const path of foreign) writeForeign(at, path);
  writeFileSync(join(at, 'config.toml'), config(own));
  return at;
}
const writeForeign = (at: string, path: string, folder = 'apis'): void =>
  writeFileSync(
    join(at, folder, `${path}.apk-conf`),
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

/** @param hear at once, as the service does */
async function running(
  at: string,
  use: (running: Running) => Promise<void>,
  hear: (event: ConfigurationEvent, configuration: Configuration) => void = () => {},
): Promise<void> {
  const events: ConfigurationEvent[] = [];
  const waiting = new Set<() => void>();
  const configuration = new Configuration({
    file: join(at, 'config.toml'),
    env: {},
    tell: (event) => {
      events.push(event);
      hear(event, configuration);
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

test('a reader that something kills, as for want of memory, is followed by another that nobody asks for', {
  timeout: 60_000,
}, async () => {
  const apis = Array.from(
    { length: 3_000 },
    (_, i) => `[[apis]]\nname = "a"\nversion = "${i}"\nbasePath = "/a${i}"\nmutualSSL = "off"\n`,
  ).join('');
  const at = folder('killed', [], apis);
  const readers = (): readonly number[] =>
    execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('reader'))
      .map((line) => Number.parseInt(line, 10));
  await running(at, async ({ configuration, event, events }) => {
    // Until one is caught before it was done.
    for (let i = 0; !events.some(isRefused); i++) {
      writeFileSync(join(at, 'config.toml'), config(`tier = "${i}"\n${apis}`));
      configuration.reread();
      for (let found = readers(); ; found = readers()) {
        for (const pid of found) process.kill(pid, 'SIGKILL');
        if (found.length > 0) break;
        await new Promise(setImmediate);
      }
      const { kind, ...said } = await event((each) => isInForce(each) || isRefused(each));
      if (kind === 'refused-whole') assert.match(JSON.stringify(said), /was ended \(SIGKILL\)/);
    }
    await event(isInForce);
    assert.match(
      readFileSync(join(at, 'config.toml'), 'utf8'),
      RegExp(`"${configuration.inForce.config.clients[0]!.tier}"`),
    );
  });
});

/** A file that is there and gives an I/O error, until a good one stands in its place. */
function onBadDisk(file: string): () => void {
  const good = readFileSync(file);
  rmSync(file);
  symlinkSync('/proc/self/mem', file);
  return () => {
    writeFileSync(`${file}~`, good);
    renameSync(`${file}~`, file);
  };
}

for (const [what, file, isBad] of [
  ['its own', 'acme.pem', isRefused],
  ['a foreign', 'apis/pets.apk-conf', isInForce],
] as const)
  test(`what the disk does not give for a moment is read again, and nobody asks for it: ${what} file`, async () => {
    const at = folder(`disk-${what}`, ['pets']);
    writeFileSync(join(at, 'config.toml'), config().replace('"apis/"', '"apis/pets.apk-conf"'));
    await running(at, async ({ configuration, event, code }) => {
      await configuration.settled();
      const mend = onBadDisk(join(at, file));
      configuration.reload();
      await event(isBad);
      const { faulty, refused } = configuration.state;
      assert.match([...faulty, ...refused].join(), /can not be read at the moment \(EIO\)/);
      assert.equal(await code('/own/x', acme), 'allow');
      assert.equal(await code('/pets/1/x'), 'allow');
      mend();
      await event((each) => isInForce(each) || each.kind === 'unchanged');
      assert.deepEqual([configuration.state.faulty, configuration.state.refused], [[], []]);
    });
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

/** Beside the foreign APIs of a folder, one in a database with a client that can be taken out. */
async function withDatabase(
  at: string,
  use: (database: { readonly removeClient: () => Promise<void> }) => Promise<void>,
): Promise<void> {
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
    await use({
      removeClient: async () => {
        await database.query('UPDATE AM_API_CLIENT_CERTIFICATE SET REMOVED = TRUE');
        await database.query('NOTIFY am_api_client_certificate');
      },
    });
  } finally {
    await database.remove();
  }
}
const isRemoved = ({ inForce }: Configuration): boolean =>
  inForce.config.apis.some(
    ({ name, clients }) => name === 'PizzaShack' && clients.every(({ disabled }) => disabled),
  );
const isNewsOfDatabase = (event: ConfigurationEvent): boolean =>
  event.kind === 'feed' && event.event.kind === 'read' && event.event.changed;

test('an entry whose path changes keeps the places of its APIs while what lies there is read', async () => {
  const at = folder('moved', ['own/below']);
  await running(at, async ({ configuration, event, code }) => {
    assert.equal(await code('/own/below/1/x'), 'allow');
    mkdirSync(join(at, 'release-2', 'own'), { recursive: true });
    for (const name of ['own/below', ...Array.from({ length: 3000 }, (_, i) => `api-${i}`)])
      writeForeign(at, name, 'release-2');
    writeFileSync(join(at, 'config.toml'), config().replace('path = "apis/"', 'path = "release-2/"'));
    configuration.reload();
    const first = await event(({ kind }) => kind === 'in-force');
    assert.ok(first.kind === 'in-force' && first.reading);
    assert.equal(await code('/own/below/1/x', acme), 'api_misconfigured', 'not as the API above it');
    assert.equal(await code('/own/x', acme), 'allow');
    await event(isInForce);
    assert.equal(await code('/own/below/1/x'), 'allow');
  });
});

test('a reload that names a database which never answers is in force without it, and nobody is admitted by it', async () => {
  const at = folder('silent', ['pets']);
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  try {
    await running(at, async ({ configuration, event, events, code }) => {
      const { port } = silent.address() as AddressInfo;
      mkdirSync(join(at, 'exported'));
      writeFileSync(
        join(at, 'exported', 'api.yaml'),
        'type: api\nversion: v4\ndata:\n  name: Pizza\n  version: "1"\n  context: /own/pizza\n  securityScheme: [mutualssl, mutualssl_mandatory]\n',
      );
      writeFileSync(
        join(at, 'config.toml'),
        `${config('disabled = true')}[[definitions]]\nkind = "api-manager"\npath = "exported/"\ndatabase = "postgres://a:b@127.0.0.1:${port}/c"\n`,
      );
      configuration.reload();
      await event(isInForce);
      assert.ok(!events.some((each) => each.kind === 'feed'), 'before the database was given up');
      assert.equal(await code('/own/x', acme), 'alias_disabled');
      assert.equal(await code('/own/pizza/1/x', acme), 'api_misconfigured');
      assert.equal(await code('/pets/1/x'), 'allow');
    });
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});

test('a change in the database does not end the reading of foreign files, and counts after it', {
  skip: noPostgres,
}, async () => {
  const names = Array.from({ length: 3000 }, (_, i) => `api-${i}`);
  const at = folder('database', names);
  await withDatabase(at, ({ removeClient }) =>
    running(at, async ({ configuration, event }) => {
      const isLate = (): boolean => configuration.inForce.config.apis.some(({ name }) => name === 'late');
      writeForeign(at, 'late');
      configuration.reload();
      await event((each) => each.kind === 'in-force' && each.reading);
      assert.deepEqual([isRemoved(configuration), isLate()], [false, false]);
      await removeClient();
      await event(() => isRemoved(configuration));
      assert.ok(isLate(), 'read, as the reload asked for');
    }),
  );
});

test('what a database says during a reload that is refused counts for what is in force', {
  skip: noPostgres,
}, async () => {
  const at = folder('refused with database', []);
  await withDatabase(at, async ({ removeClient }) => {
    const file = join(at, 'config.toml');
    const refused = readFileSync(file, 'utf8').replace('aliases = ["acme"]', 'aliases = ["nobody"]');
    let isRunning = false;
    await running(
      at,
      async ({ configuration, event }) => {
        assert.equal(isRemoved(configuration), false);
        isRunning = true;
        await removeClient();
        await event(isRefused);
        await event(() => isRemoved(configuration));
      },
      (event, configuration) => {
        if (!isRunning || !isNewsOfDatabase(event)) return;
        // Just before the news is a change of its own.
        writeFileSync(file, refused);
        configuration.reload();
      },
    );
  });
});

test('what changes in a database during the start is not lost', { skip: noPostgres }, async () => {
  const names = Array.from({ length: 1500 }, (_, i) => `api-${i}`);
  const at = folder('start with database', names);
  await withDatabase(at, async ({ removeClient }) => {
    let removed: Promise<void> | undefined;
    await running(
      at,
      async ({ configuration, event }) => {
        await removed;
        await event(() => isRemoved(configuration));
      },
      (event) => {
        if (isNewsOfDatabase(event)) removed ??= removeClient();
      },
    );
  });
});

test('a reload that is asked for during the start is done after it', async () => {
  const at = folder('start', ['pets']);
  const events: ConfigurationEvent[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const configuration = new Configuration({
    file: join(at, 'config.toml'),
    env: {},
    tell: (event) => {
      events.push(event);
      if (isInForce(event)) resolve();
    },
  });
  const start = configuration.start();
  writeFileSync(join(at, 'config.toml'), config('disabled = true'));
  configuration.reload();
  try {
    assert.ok('ok' in (await start));
    assert.deepEqual(events, []);
    await promise;
    assert.equal(configuration.inForce.config.clients[0]!.disabled, true);
  } finally {
    await configuration.close();
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
    // What the end of the reading led to is told by now.
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(!events.some(({ kind }) => kind === 'in-force'));
    assert.deepEqual(events.filter(isRefused), []);
  });
});

const isUnchanged = ({ kind }: ConfigurationEvent): boolean => kind === 'unchanged';

test('what says the same as before makes no new configuration, and what says something else does', async () => {
  const at = folder('reread', ['pets', 'users']);
  await running(at, async ({ configuration, event, code }) => {
    const before = configuration.inForce;
    const file = join(at, 'config.toml');
    writeFileSync(file, readFileSync(file));
    writeFileSync(join(at, 'apis', 'notes.txt'), 'no definition');
    configuration.reread();
    await event(isUnchanged);
    assert.equal(configuration.inForce, before);
    writeForeign(at, 'orders');
    configuration.reread();
    await event(isInForce);
    assert.equal(await code('/orders/1/x'), 'allow');
    writeFileSync(join(at, 'acme.pem'), (await selfSigned({ subject: 'CN=acme' })).pem);
    configuration.reread();
    const rotated = await event(isInForce);
    assert.ok(rotated.kind === 'in-force');
    assert.deepEqual(rotated.changes, ['aliases with other certificates: acme']);
    assert.equal(await code('/own/x', acme), 'issuer_unknown');
    writeFileSync(join(at, 'acme.pem'), acme);
    configuration.reload();
    await event(isInForce);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, -20));
    configuration.reread();
    await event(isRefused);
    writeFileSync(file, text);
    const { generation } = configuration.inForce;
    configuration.reread();
    await event(isUnchanged);
    assert.equal(configuration.inForce.generation, generation);
  });
});

test('what is wrong is told once, whatever else changes beside it, and again to whoever asks', async () => {
  const at = folder('told once', ['pets']);
  await running(at, async ({ configuration, events, event }) => {
    const refusals = (): number => events.filter(isRefused).length;
    const good = readFileSync(join(at, 'config.toml'));
    writeFileSync(join(at, 'config.toml'), config('fiel = "x"'));
    configuration.reread();
    await event(isRefused);
    writeForeign(at, 'pets2');
    configuration.reread();
    configuration.reload();
    await event(isRefused);
    assert.equal(refusals(), 2);
    writeFileSync(join(at, 'config.toml'), good);
    configuration.reread();
    await event(isInForce);
    assert.equal(refusals(), 2);
    writeFileSync(join(at, 'config.toml'), config('fiel = "x"'));
    configuration.reread();
    await event(isRefused);
  });
});

test('files that change while others are read do not begin the reading anew, and are read after it', async () => {
  const names = Array.from({ length: 1500 }, (_, i) => `api-${i}`);
  const at = folder('overtaking', names);
  await running(at, async ({ configuration, events, event, code }) => {
    writeForeign(at, 'late');
    configuration.reread();
    await event(isInForce);
    assert.equal(await code('/late/1/x'), 'allow');
    writeForeign(at, 'later');
    configuration.reload();
    await event((each) => each.kind === 'in-force' && each.reading);
    writeForeign(at, 'latest');
    configuration.reread();
    await event(isInForce);
    assert.equal(await code('/later/1/x'), 'allow');
    while ((await code('/latest/1/x')) !== 'allow') await event(isInForce);
    assert.ok(!events.some(({ kind }) => kind === 'unchanged'));
  });
});

test('what foreign files say as before is not read into the same once more, whatever is asked for it', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `api-${i}`);
  const at = folder('same', names);
  await running(at, async ({ configuration, code }) => {
    const shown = (): unknown =>
      configuration.inForce.config.apis
        .filter(({ name }) => name === 'api-7')
        .map((api) => api.optionalCertificate);
    const reloaded = (): Promise<void> => {
      configuration.reload();
      return configuration.settled();
    };
    const apis = configuration.inForce.good.apis;
    await reloaded();
    const key = [...apis.keys()][0]!;
    assert.equal(configuration.inForce.good.apis.get(key)!.api, apis.get(key)!.api, 'the very same');
    const asked = config().replace('path = "apis/"', 'path = "apis/"\noptionalCertificate = "reject-wrong"');
    writeFileSync(join(at, 'config.toml'), asked);
    await reloaded();
    assert.deepEqual(shown(), ['reject-wrong'], 'what its entry asks for is other');
    writeForeign(at, 'late');
    await reloaded();
    assert.equal(await code('/late/1/x'), 'allow', 'a file more');
    rmSync(join(at, 'apis', 'late.apk-conf'));
    await reloaded();
    assert.notEqual(await code('/late/1/x'), 'allow', 'a file less');
  });
});

test('a reload that was asked for counts also where files are looked at meanwhile', async () => {
  const at = folder('both', ['pets']);
  await running(at, async ({ configuration, event }) => {
    const { generation } = configuration.inForce;
    configuration.reread();
    configuration.reread();
    configuration.reload();
    await event(isInForce);
    assert.ok(configuration.inForce.generation > generation);
  });
});

test('what was read is known by its state then: config.toml, the files it names, foreign files and their folders', async () => {
  const at = folder('stamps', ['pets']);
  await running(at, async ({ configuration, event }) => {
    const names = (): string[] =>
      [...configuration.read.keys()]
        .filter((path) => path.startsWith(at))
        .map((path) => path.slice(at.length + 1))
        .sort();
    assert.deepEqual(names(), ['acme.pem', 'apis', 'apis/own', 'apis/pets.apk-conf', 'config.toml']);
    const before = new Map(configuration.read);
    writeFileSync(join(at, 'config.toml'), '[[apis');
    assert.deepEqual(configuration.read, before, 'nobody has read it yet');
    configuration.reread();
    await event(isRefused);
    assert.notEqual(
      configuration.read.get(join(at, 'config.toml')),
      before.get(join(at, 'config.toml')),
      'who is refused is known, too',
    );
  });
});

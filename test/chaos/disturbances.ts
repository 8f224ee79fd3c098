import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from '../../src/service/control-socket.ts';
import type { Random } from '../support/random.ts';
import type { Verdict } from './judge.ts';
import type { Source } from './sources.ts';
import { answered, clientsOfRow, healthy, row, until, type World, write } from './world.ts';

export type Disturbance = {
  readonly name: string;
  /** Whose answers it changes, and to what. While it comes and goes, either is right; nobody else's change. */
  readonly changes?: Readonly<Record<string, Verdict>>;
  /** What some may be answered as well, while it comes and goes; of whom nothing changes, until it is undone. */
  readonly allows?: Readonly<Record<string, Verdict>>;
  /** Returns once it has had its effect: what is not seen to happen shows nothing. false: it has none. */
  readonly disturb: () => Promise<unknown>;
  /** Returns once all is as it was, in both processes. */
  readonly undo: () => Promise<unknown>;
};

/** What is disturbed by one disturbance at a time; by others all else may be at the same time. */
export type Lane = {
  readonly name: string;
  /** Never beside those that need what a process knows by itself: a new one has no last good state of these. */
  readonly isAlone?: true;
  /** Beside those that are alone, too: what it knows outlives a process. */
  readonly outlives?: true;
  readonly disturbances: readonly Disturbance[];
};

/**
 * @param chance of each lane by its number
 * @param isOver nothing more need happen
 */
export function lanes(
  world: World,
  chance: (lane: number) => Random,
  isOver: () => boolean,
): readonly Lane[] {
  return [
    { name: 'config.toml', disturbances: ofConfiguration(world, chance(0)) },
    { name: 'definitions', disturbances: ofDefinitions(world) },
    { name: 'processes', isAlone: true, disturbances: ofProcesses(world, chance(1)) },
    { name: 'keys', disturbances: ofSource(world.sources.jwks, 'JWKS', chance(2), isOver) },
    { name: 'CRL', outlives: true, disturbances: ofSource(world.sources.crl, 'CRL', chance(3), isOver) },
    {
      name: 'OCSP',
      outlives: true,
      disturbances: ofSource(world.sources.ocsp, 'OCSP responder', chance(4), isOver),
    },
    { name: 'CRL files', disturbances: ofCrlFiles(world) },
    { name: 'database', disturbances: ofDatabase(world) },
    { name: 'audit', disturbances: [fullAudit(world)] },
    { name: 'clock', outlives: true, disturbances: [end(world)] },
  ];
}

function ofConfiguration(world: World, { below, of }: Random): readonly Disturbance[] {
  const { folder } = world;
  const path = join(folder, 'config.toml');
  const good = readFileSync(path, 'utf8');
  /** In its place, or over it: half of it may be read then. */
  const put = (content: string | Uint8Array): void => {
    if (below(2) === 0) write(folder, { 'config.toml': content });
    else writeFileSync(path, content);
  };
  const told = async (isSo: (status: Status) => boolean): Promise<void> => {
    // Now and then it is left to the watching.
    let asked: 'reload' | 'status' = below(3) === 0 ? 'status' : 'reload';
    await until(async () => {
      const statuses = await world.status(asked);
      asked = 'status';
      return statuses.every(isSo);
    });
  };
  const asBefore = (): Promise<void> =>
    told(({ refused, digest }) => refused.length === 0 && digest === world.digest);
  const inForce = (): Promise<void> =>
    told(({ refused, digest }) => refused.length === 0 && digest !== world.digest);
  const refused = (why: RegExp): Promise<void> =>
    told(({ refused, digest }) => refused.some((line) => why.test(line)) && digest === world.digest);
  const rewritten = async (): Promise<void> => {
    put(good);
    await asBefore();
  };
  const bad = (name: string, content: () => string | Uint8Array, why: RegExp): Disturbance => ({
    name: `config.toml is ${name}`,
    disturb: async () => {
      put(content());
      await refused(why);
    },
    undo: rewritten,
  });
  const changed = (name: string, to: string, verdict: Verdict): Disturbance => ({
    name: `config.toml: ${name}`,
    changes: { rotating: verdict },
    disturb: async () => {
      put(good.replace('file = "clients/rotating.pem"', to));
      await inForce();
    },
    undo: rewritten,
  });
  const gone = (name: string): Disturbance => ({
    name: `${name} vanishes`,
    disturb: async () => {
      renameSync(join(folder, name), join(folder, `${name}.away`));
      await refused(new RegExp(name.replace('.', '\\.')));
    },
    undo: async () => {
      renameSync(join(folder, `${name}.away`), join(folder, name));
      await asBefore();
    },
  });
  /** In the midst of a text, so that it is none. */
  const truncated = (): string => {
    const quotes = [...good.matchAll(/"[^"\n]+"/g)].map(({ index }) => index);
    return good.slice(0, of(quotes) + 2);
  };
  return [
    changed('an alias is disabled', 'file = "clients/rotating.pem"\ndisabled = true', '401 alias_disabled'),
    changed('an alias has another file', 'file = "clients/short-lived.pem"', '401 issuer_unknown'),
    {
      name: 'a certificate is another one',
      changes: { rotating: '401 issuer_unknown' },
      disturb: async () => {
        write(folder, { 'clients/rotating.pem': world.renewed.certificatePem });
        await inForce();
      },
      undo: async () => {
        write(folder, { 'clients/rotating.pem': world.rotating.certificatePem });
        await asBefore();
      },
    },
    bad('wrong', () => good.replace('mutualSSL = "off"', 'mutualSSL = "of"'), /mutualSSL/),
    bad('cut off', truncated, /config\.toml/),
    bad('binary', () => randomBytes(10_000), /config\.toml/),
    bad('empty', () => '', /no APIs/),
    gone('config.toml'),
    gone('clients'),
    ...(typeof world.envoyDisk === 'string'
      ? []
      : [fullEnvoyFolder(world, { good, put, inForce, rewritten })]),
  ];
}

/** What Envoy watches can't be written while what decides is another one. */
function fullEnvoyFolder(
  world: World,
  configuration: {
    readonly good: string;
    readonly put: (content: string) => void;
    readonly inForce: () => Promise<void>;
    readonly rewritten: () => Promise<void>;
  },
): Disturbance {
  const { envoyDisk, gateway } = world;
  assert.ok(typeof envoyDisk !== 'string');
  const { enforcer } = gateway.stack;
  const another =
    '\n[[apis]]\nname = "one more"\nversion = "1"\nbasePath = "/more"\nbackend = "https://127.0.0.1:1"\naliases = ["acme"]\n';
  let from = 0;
  return {
    name: "the disk of Envoy's files is full",
    disturb: async () => {
      from = enforcer.lines.length;
      envoyDisk.fill();
      configuration.put(configuration.good + another);
      await configuration.inForce();
      await enforcer.line(/Envoy's files .* can not be written.*ENOSPC/, from);
    },
    undo: async () => {
      envoyDisk.free();
      await configuration.rewritten();
      await enforcer.line(/Envoy's files are written again/, from);
    },
  };
}

function ofDefinitions(world: World): readonly Disturbance[] {
  const { folder, status, gateway } = world;
  const api = 'apk/employees.apk-conf';
  const good = readFileSync(join(folder, api), 'utf8');
  /** While config.toml is refused, nothing else is read. */
  const read = (isSo: (status: Status) => boolean): Promise<void> =>
    until(async () =>
      (await status('reload')).every((each) => each.refused.length === 0 && !each.reading && isSo(each)),
    );
  /** Envoy is told by files, and in its own time; each of its threads. */
  const routed = async (): Promise<void> => {
    const { path, certificate } = world.employee;
    await until(
      async () => (await gateway.answer({ path, ...(certificate && { certificate }) })).status === 200,
    );
    await answered(world.loads, 10);
  };
  const isGood = ({ faulty }: Status): boolean => !faulty.some((line) => line.includes('apk'));
  const isFaulty = (each: Status): boolean => !isGood(each);
  const move = (name: string, from: string, to: string): void =>
    renameSync(join(folder, `${name}${from}`), join(folder, `${name}${to}`));
  const broken = (name: string, content: () => string | Uint8Array): Disturbance => ({
    name: `a foreign definition is ${name}`,
    disturb: async () => {
      writeFileSync(join(folder, api), content());
      await read(isFaulty);
    },
    undo: async () => {
      write(folder, { [api]: good });
      await read(isGood);
    },
  });
  return [
    broken('cut off', () => good.slice(0, good.indexOf('authType') + 4)),
    broken('binary', () => randomBytes(3_000)),
    {
      name: 'the folder of foreign definitions vanishes',
      disturb: async () => {
        move('apk', '', '.away');
        await read(isFaulty);
      },
      undo: async () => {
        move('apk', '.away', '');
        await read(isGood);
      },
    },
    {
      name: 'a foreign definition is taken out',
      changes: { employee: '404 api_not_found' },
      // Of Envoy itself, which has no route yet when it is there again.
      allows: { employee: '404' },
      disturb: async () => {
        move(api, '', '.away');
        await read(isGood);
      },
      undo: async () => {
        move(api, '.away', '');
        await read(isGood);
        await routed();
      },
    },
  ];
}

function ofProcesses(world: World, { of }: Random): readonly Disturbance[] {
  const { gateway, folder } = world;
  const { enforcer } = gateway.stack;
  // A new process has seen nobody yet.
  const allows = Object.fromEntries(world.firstSights);
  const isStarted = (worker: number): RegExp => new RegExp(`info +started .* pid=(\\d+) .*worker=${worker}$`);
  const pidOf = (worker: number): number => {
    const line = enforcer.lines.findLast((one) => isStarted(worker).test(one))!;
    return Number(isStarted(worker).exec(line)![1]);
  };
  let worker = 1;
  let from = 0;
  const killed = async (): Promise<void> => {
    from = enforcer.lines.length;
    process.kill(pidOf(worker), 'SIGKILL');
    await enforcer.line(new RegExp(`a worker ended.* signal=SIGKILL worker=${worker} `), from);
  };
  const back = async (): Promise<void> => {
    // It is started again by itself, and sooner when it is told.
    enforcer.kill('SIGHUP');
    await enforcer.line(isStarted(worker), from);
    await healthy(world, 2);
    await answered(world.loads, 20);
  };
  const sockets = (): readonly string[] =>
    ['authz.sock', 'control'].map((name) => join(folder, worker === 1 ? name : `${name}.${worker}`));
  return [
    {
      name: 'SIGKILL to a process',
      allows,
      disturb: () => {
        worker = of([1, 2]);
        return killed();
      },
      undo: back,
    },
    {
      name: 'SIGSTOP to a process',
      disturb: async () => {
        worker = of([1, 2]);
        process.kill(pidOf(worker), 'SIGSTOP');
        await healthy(world, 1);
      },
      undo: async () => {
        process.kill(pidOf(worker), 'SIGCONT');
        await healthy(world, 2);
      },
    },
    {
      name: 'the sockets of a process are removed, and then it is killed',
      allows,
      disturb: async () => {
        worker = of([1, 2]);
        for (const socket of sockets()) rmSync(socket);
        await answered(world.loads, 5);
        await killed();
      },
      undo: async () => {
        await back();
        assert.ok(sockets().every((socket) => existsSync(socket)));
      },
    },
  ];
}

/** Nobody waits for what it fetches, so that it may be half a minute until it is asked. */
function ofSource(
  { server, good, lies }: Source,
  name: string,
  { of }: Random,
  isOver: () => boolean,
): readonly Disturbance[] {
  const answering = (how: string, answer: () => Source['good']): Disturbance => ({
    name: `${name} ${how}`,
    disturb: async () => {
      const before = server.asked.length;
      server.answer = answer();
      await until(() => server.asked.length > before || isOver());
      return server.asked.length > before;
    },
    undo: async () => {
      server.answer = good;
    },
  });
  return [
    answering('is dead', () => (asked) => asked.socket.destroy()),
    answering('hangs', () => () => {}),
    answering('lies', () => of(lies)),
  ];
}

function ofCrlFiles({ folder, gateway }: World): readonly Disturbance[] {
  const { enforcer } = gateway.stack;
  const list = join(folder, 'crls/file.crl');
  const good = readFileSync(list);
  const both = async (from: number, text: string): Promise<void> => {
    for (const worker of [1, 2]) await enforcer.line(new RegExp(`${text}.*crls.* worker=${worker}$`), from);
  };
  let from = 0;
  return [
    {
      name: 'the folder of CRLs vanishes',
      disturb: async () => {
        from = enforcer.lines.length;
        renameSync(join(folder, 'crls'), join(folder, 'crls.away'));
        await both(from, "can't read a list of revoked certificates");
      },
      undo: async () => {
        renameSync(join(folder, 'crls.away'), join(folder, 'crls'));
        await both(from, '(?<!can.t )read a list of revoked certificates');
      },
    },
    {
      name: 'a CRL is cut off',
      disturb: async () => {
        from = enforcer.lines.length;
        writeFileSync(list, good.subarray(0, good.length / 2));
        await both(from, "can't read a list of revoked certificates");
      },
      undo: async () => {
        writeFileSync(list, good);
        await both(from, '(?<!can.t )read a list of revoked certificates');
      },
    },
  ];
}

function ofDatabase({ database, gateway, status }: World): readonly Disturbance[] {
  if (database === undefined) return [];
  const { server, proxy } = database;
  const { enforcer } = gateway.stack;
  let from = 0;
  const both = async (text: string): Promise<void> => {
    for (const worker of [1, 2]) await enforcer.line(new RegExp(`${text}.* worker=${worker}$`), from);
  };
  const mended = (): Promise<void> => both('info +read the table of client certificates');
  const change = async (sql: string, values?: readonly unknown[]): Promise<void> => {
    await server.query(sql, values);
    await server.query('NOTIFY am_api_client_certificate');
  };
  const notice = (): void => {
    from = enforcer.lines.length;
  };
  const rubbish = async (): Promise<void> => {
    notice();
    await change(
      "INSERT INTO AM_API_CLIENT_CERTIFICATE VALUES (-1234, 'rubbish', 1, 'rubbish', '0', 'Gold')",
    );
    await mended();
  };
  const noRubbish = async (): Promise<void> => {
    notice();
    await change("DELETE FROM AM_API_CLIENT_CERTIFICATE WHERE ALIAS = 'rubbish'");
    await mended();
  };
  return [
    {
      name: 'the database is dead',
      disturb: async () => {
        notice();
        await server.stop();
        await both("can't read the table of client certificates");
      },
      undo: async () => {
        await server.start();
        await mended();
      },
    },
    {
      name: 'the database hangs',
      disturb: async () => {
        notice();
        const before = proxy.swallowed;
        proxy.freeze();
        await until(async () => {
          await status('reload');
          return proxy.swallowed > before;
        });
      },
      undo: async () => {
        proxy.thaw();
        await rubbish();
        await noRubbish();
      },
    },
    {
      name: 'the database has rubbish',
      disturb: rubbish,
      undo: noRubbish,
    },
    {
      name: 'a client is taken out of the database',
      changes: { [clientsOfRow]: '401 alias_disabled' },
      disturb: async () => {
        notice();
        await change(`DELETE FROM AM_API_CLIENT_CERTIFICATE WHERE ALIAS = '${clientsOfRow}'`);
        await mended();
        await status('reload');
      },
      undo: async () => {
        notice();
        await change(row, [Buffer.from(database.certificatePem)]);
        await mended();
        await status('reload');
      },
    },
  ];
}

/** By a link to what is always full. */
function fullAudit({ folder, gateway }: World): Disturbance {
  const { enforcer } = gateway.stack;
  const file = join(folder, 'audit.log');
  let from = 0;
  return {
    name: 'the disk of the record of decisions is full',
    disturb: async () => {
      from = enforcer.lines.length;
      renameSync(file, `${file}.away`);
      symlinkSync('/dev/full', file);
      await enforcer.line(/lines of the record of decisions are dropped.*ENOSPC/, from);
    },
    undo: async () => {
      renameSync(`${file}.away`, file);
      await enforcer.line(/the record of decisions is written again/, from);
    },
  };
}

let ended = 0;

/** A certificate of its own, which ends while its client asks. */
function end({ judge, shortLived, ask }: World): Disturbance {
  const seconds = 3;
  return {
    name: 'the clock passes the end of a certificate',
    disturb: async () => {
      // X.509 counts whole seconds, and the last one is within.
      const last = Math.floor(Date.now() / 1000) * 1000 + seconds * 1000;
      const { pem, privateKeyPem } = await shortLived.issue({
        subject: 'CN=short-lived',
        extendedKeyUsage: 'client',
        notBefore: new Date(last - 60_000),
        notAfter: new Date(last),
      });
      const name = `one that ends, number ${++ended}`;
      const load = ask({
        name,
        path: '/short-lived/x',
        certificate: { certificatePem: pem, privateKeyPem },
        verdict: '200 short-lived',
      });
      try {
        const at = (instant: number): Promise<void> =>
          new Promise((resolve) => setTimeout(resolve, instant - Date.now()));
        await at(last - 20);
        judge.announce({ [name]: '401 certificate_expired' });
        await at(last + 1_020);
        judge.settle([name]);
        await until(() => (load.counts['right refusal'] ?? 0) > 0);
        // On a machine that stands still nobody may have been answered before.
        return (load.counts['right admission'] ?? 0) > 0;
      } finally {
        await load.stop();
      }
    },
    undo: async () => {},
  };
}

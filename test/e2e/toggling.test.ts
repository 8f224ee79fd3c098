import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { codings } from '../../demo/certificate-header.ts';
import { header, renamedHeader } from '../../demo/requests.ts';
import { askControl, type Status } from '../../src/service/control-socket.ts';
import { selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';
import { InForceTimeline } from '../support/in-force.ts';
import { Load, type LoadAnswer } from '../support/load.ts';
import { random, seedOf } from '../support/random.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, petstore } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** `TOGGLING_SECONDS=600 TOGGLING_SEED=1 node --test test/e2e/toggling.test.ts` */
const seconds = Number(process.env.TOGGLING_SECONDS ?? 12);
const seed = seedOf(process.env.TOGGLING_SEED);

/** All that is toggled. Each change is of any of it together, so that an answer by some of the old and some of the new shows. */
type Files = {
  readonly validates: boolean;
  readonly header: string;
  /** Which of acme's two certificates is in its file. */
  readonly held: 0 | 1;
  readonly alias: 'bound' | 'disabled' | 'not of this API';
};

type Probe = { readonly tls?: 0 | 1; readonly inHeader?: { readonly name: string; readonly which: 0 | 1 } };

const probes: readonly Probe[] = [
  { tls: 0 },
  { tls: 1 },
  { tls: 0, inHeader: { name: header, which: 1 } },
  ...([0, 1] as const).flatMap((which) =>
    [header, renamedHeader].map((name): Probe => ({ inHeader: { name, which } })),
  ),
];

function verdictBy({ validates, header, held, alias }: Files, { tls, inHeader }: Probe): string {
  const presented = validates ? tls : inHeader?.name === header ? inHeader.which : undefined;
  if (presented === undefined) return '401 certificate_missing';
  if (presented !== held) return '401 issuer_unknown';
  const ofAlias = {
    bound: '200 acme',
    disabled: '401 alias_disabled',
    'not of this API': '401 certificate_not_bound',
  };
  return ofAlias[alias];
}

function verdictOf({ status, reason, body }: LoadAnswer): string {
  if (status !== '200') return reason === undefined ? status : `${status} ${reason}`;
  const { headers } = JSON.parse(body) as { headers: readonly (readonly [string, string])[] };
  return `200 ${headers.find(([name]) => name === 'x-client-cert-alias')?.[1]}`;
}

describe('configuration is toggled under load', { skip, timeout: (seconds + 120) * 1000 }, () => {
  const first: Files = { validates: true, header, held: 0, alias: 'bound' };
  const timeline = new InForceTimeline(first);
  const folder = mkdtempSync(join(tmpdir(), 'mtls-enforcer-toggling-'));
  const run = join(folder, 'run');
  const certificates: ClientCertificate[] = [];
  let gateway: Gateway;
  let template: string;
  let generation = 0;

  const textOf = ({ validates, header, alias }: Files): string => {
    const mutualSsl = `enableClientValidation = ${validates}\ncertificateHeader = "${header}"\ntrustedSenders = ["127.0.0.1/32"]`;
    const toml = template
      .replace('enableClientValidation = true', mutualSsl)
      .replace(
        /^file {2}= "[^"]*acme.pem".*$/m,
        `file = "acme.pem"${alias === 'disabled' ? '\ndisabled = true' : ''}`,
      );
    return alias === 'not of this API'
      ? toml.replace('aliases = ["acme", "partners"]', 'aliases = ["partners"]')
      : toml;
  };

  /** As Kubernetes does: a new folder, and in one step the link `..data` leads there; config.toml and acme.pem lead through it. */
  function put(files: Files): void {
    const to = `..${generation++}`;
    mkdirSync(join(run, to));
    writeFileSync(join(run, to, 'config.toml'), textOf(files));
    writeFileSync(join(run, to, 'acme.pem'), certificates[files.held]!.certificatePem);
    symlinkSync(to, join(run, '..data.new'));
    renameSync(join(run, '..data.new'), join(run, '..data'));
    if (generation > 2) rmSync(join(run, `..${generation - 3}`), { recursive: true });
  }

  const ask = (asked: 'reload' | 'status'): Promise<readonly Status[]> =>
    Promise.all(['control', 'control.2'].map((name) => askControl(join(run, name), asked, 60_000)));

  before(async () => {
    for (const subject of ['CN=acme', 'CN=acme renewed']) {
      const { pem, privateKeyPem } = await selfSigned({ subject });
      certificates.push({ certificatePem: pem, privateKeyPem });
    }
    // Of a reload most is otherwise the compiling of TypeScript for the thread that reads, which an installed one has not.
    process.env.NODE_COMPILE_CACHE = join(folder, 'compiled');
    mkdirSync(run);
    writeFileSync(join(run, 'acme.pem'), certificates[0]!.certificatePem);
    gateway = await Gateway.start(envoy!, {
      folder,
      edit: (toml) => {
        template = toml.replace(/^port = .*$/m, 'socket = "authz.sock"\nworkers = 2\ncontrol = "control"');
        return textOf(first);
      },
    });
    put(first);
    for (const name of ['config.toml', 'acme.pem']) {
      rmSync(join(run, name));
      symlinkSync(`..data/${name}`, join(run, name));
    }
    await gateway.stack.enforcer.line(/all workers serve/);
    while ((await gateway.stack.envoy!.statistic('cluster.enforcer.membership_healthy')) < 2)
      await new Promise((resolve) => setTimeout(resolve, 20)); // nothing tells us
    await ask('reload');
  });
  after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`every answer is by the files of its time, seed ${seed}`, async (test) => {
    const { below, of } = random(seed);
    const loads = probes.map(
      (probe) =>
        new Load({
          port: gateway.stack.ports.router,
          ca: gateway.pki.routerCaPem,
          path: petstore,
          certificate: probe.tls === undefined ? undefined : certificates[probe.tls],
          ...(probe.inHeader && {
            headers: {
              [probe.inHeader.name.toLowerCase()]: codings['percent-encoded'](
                certificates[probe.inHeader.which]!.certificatePem,
              ),
            },
          }),
          concurrency: 1,
          // Readings step back for what decides: on a machine that has nothing to spare each would take many seconds.
          pause: 20,
          begin: () => {
            const possible = timeline.begin();
            return (answer) => {
              const verdict = verdictOf(answer);
              const allowed = new Set(possible().map((files) => verdictBy(files, probe)));
              if (allowed.has(verdict)) return 'right';
              return verdict === '503' ? verdict : `${verdict}, not ${[...allowed].join(' or ')}`;
            };
          },
        }),
    );
    const timeouts = async (): Promise<number> =>
      (await gateway.stack.envoy!.statistic('cluster.enforcer.upstream_rq_timeout')) +
      (await gateway.stack.envoy!.statistic('cluster.enforcer.upstream_rq_per_try_timeout'));
    const before = await timeouts();
    let changes = 0;
    let digest = (await ask('status'))[0]!.digest;
    let stopped: readonly Readonly<Record<string, number>>[] = [];
    try {
      for (const end = Date.now() + seconds * 1000; Date.now() < end || changes < 10; ) {
        const next: Files = {
          validates: below(2) === 0,
          header: of([header, renamedHeader]),
          held: of([0, 1]),
          alias: of(['bound', 'bound', 'disabled', 'not of this API']),
        };
        if (isDeepStrictEqual(next, timeline.latest)) continue;
        timeline.announce(next);
        put(next);
        // Now and then it is left to the watching.
        let statuses = await ask(below(30) === 0 ? 'status' : 'reload');
        while (!statuses.every((status) => status.refused.length === 0 && status.digest !== digest))
          statuses = await ask('status');
        digest = statuses[0]!.digest;
        assert.equal(statuses[1]!.digest, digest);
        timeline.settle();
        changes++;
        // All of them have answered by it, and by nothing else.
        const least = loads.map(({ answered }) => answered + 2);
        while (loads.some(({ answered }, i) => answered < least[i]!))
          await new Promise((resolve) => setTimeout(resolve, 2));
      }
    } finally {
      stopped = await Promise.all(loads.map((load) => load.stop()));
    }
    const unavailable = stopped.reduce((sum, { 503: some = 0 }) => sum + some, 0);
    const late = (await timeouts()) - before;
    test.diagnostic(
      `${changes} changes, ${stopped.reduce((sum, { right = 0 }) => sum + right, 0)} right answers, ${unavailable} lost to a machine that stood still`,
    );
    for (const [i, { right = 0, 503: _, ...wrong }] of stopped.entries()) {
      assert.ok(right > 0);
      assert.deepEqual(wrong, {}, JSON.stringify(probes[i]));
    }
    assert.ok(unavailable <= late, `${unavailable} requests lost, ${late} of them for want of time`);
  });
});

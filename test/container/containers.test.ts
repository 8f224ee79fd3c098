import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClientCertificate, send } from '../support/client.ts';
import { Load } from '../support/load.ts';
import { Compose } from './compose.ts';
import { docker, engine, output } from './engine.ts';

const found = await engine();
const path = '/petstore/1.0.5/pet/1';
const enforcers = ['enforcer-1', 'enforcer-2'] as const;
const hardened = ['backend', ...enforcers, 'envoy'];

async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 100)); // nothing tells us
  }
}
const inspect = (id: string, what: string): Promise<string> => docker('inspect', '--format', what, id);
/** Both of its outputs: the log is on standard error. */
const log = (id: string): Promise<string> => output('sh', '-c', 'docker logs "$1" 2>&1', 'sh', id);
const count = (text: string, pattern: RegExp): number =>
  text.split('\n').filter((line) => pattern.test(line)).length;

/** Writes config.toml anew, and waits until each of these containers has said what it makes of it. */
async function rewrite(
  compose: Compose,
  sed: string,
  containers: readonly string[],
  says: RegExp,
): Promise<void> {
  const before = await Promise.all(containers.map(async (id) => count(await log(id), says)));
  await docker(
    ...['run', '--rm', '--network', 'none', '--volume', `${compose.volume('state')}:/state`],
    ...['mtls-enforcer-tools', 'sed', '-i', sed, '/state/config.toml'],
  );
  for (const [i, id] of containers.entries()) {
    await docker('kill', '--signal', 'HUP', id);
    await until(async () => count(await log(id), says) > before[i]!, `${id} does not say ${says}`);
  }
}

describe('what docker-compose.yml describes, by a container engine', { skip: found.skip }, () => {
  let compose: Compose;
  let pki: string;
  let port: number;
  const pem = (name: string): string => readFileSync(join(pki, name), 'utf8');
  const client = (name: string): ClientCertificate => ({
    certificatePem: pem(`${name}.pem`),
    privateKeyPem: pem(`${name}.key`),
  });
  const ask = async (name?: string): Promise<string> => {
    const answer = await send({
      ...{ port, path, ca: pem('router-ca.pem') },
      certificate: name === undefined ? undefined : client(name),
    });
    return [answer.status, answer.headers['x-mtls-reason']].filter(Boolean).join(' ');
  };

  before(async () => {
    compose = await Compose.up(found.compose!);
    port = await compose.port();
    pki = mkdtempSync(join(tmpdir(), 'compose-pki-'));
    await docker('cp', `${await compose.id('backend')}:/state/pki/.`, pki);
  });
  after(async () => {
    await compose?.down();
    if (pki !== undefined) rmSync(pki, { recursive: true });
  });

  it('the image adds less than 30 MB to that of Node, and runs as nobody', async () => {
    const size = async (tag: string) => Number(await inspect(tag, '{{.Size}}'));
    const added = (await size('mtls-enforcer')) - (await size('node:24-bookworm-slim'));
    assert.ok(added < 30_000_000, `${added} bytes`);
    assert.equal(await inspect('mtls-enforcer', '{{.Config.User}}'), '65532:65532');
  });

  for (const service of hardened)
    it(`${service} has no root, no capability, no way to gain any, and nothing to write`, async () => {
      const status = await compose.exec(service, 'cat', '/proc/1/status');
      const of = (name: string): string | undefined =>
        new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1]?.replaceAll('\t', ' ');
      assert.equal(of('Uid'), '65532 65532 65532 65532');
      assert.equal(of('Gid'), '65532 65532 65532 65532');
      assert.deepEqual(['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(of), Array(4).fill('0'.repeat(16)));
      assert.equal(of('NoNewPrivs'), '1');
      const places = '/ /app /tmp /etc /state /usr/local/bin';
      const written = `for at in ${places}; do touch $at/x 2>/dev/null && echo $at; done; true`;
      assert.equal(await compose.exec(service, 'sh', '-c', written), '');
    });

  for (const service of enforcers)
    it(`${service} has no network, and is healthy`, async () => {
      const id = await compose.id(service);
      assert.equal(await compose.exec(service, 'ls', '/sys/class/net'), 'lo');
      assert.equal(await inspect(id, '{{.State.Health.Status}}'), 'healthy');
    });

  it('the sockets are for their user alone, and Envoy can not put another in their place', async () => {
    assert.equal(
      await compose.exec(
        'envoy',
        'stat',
        '-c',
        '%a %u %F',
        '/run/mtls-enforcer',
        '/run/mtls-enforcer/authz.sock',
      ),
      '700 65532 directory\n660 65532 socket',
    );
    await assert.rejects(
      compose.exec('envoy', 'rm', '/run/mtls-enforcer/authz.sock'),
      /Read-only file system/,
    );
  });

  it('requests are admitted and refused', async () => {
    assert.deepEqual(
      [await ask('acme'), await ask(), await ask('globex'), await ask('expired')],
      ['200', '401 certificate_missing', '401 issuer_unknown', '401 certificate_expired'],
    );
  });

  it('SIGHUP: another client, in both', async () => {
    const ids = await Promise.all(enforcers.map(compose.id));
    await rewrite(compose, 's/acme.pem/globex.pem/', ids, /"message":"reloaded"/);
    await bothAnswer('401 issuer_unknown', '200');
    await rewrite(compose, 's/globex.pem/acme.pem/', ids, /"message":"reloaded"/);
    await bothAnswer('200', '401 issuer_unknown');
  });
  /** Envoy asks one after the other. A file that changed is read without a signal as well, so a line may be of before. */
  const bothAnswer = (acme: string, globex: string) =>
    until(async () => {
      for (let i = 0; i < 10; i++)
        if ((await ask('acme')) !== acme || (await ask('globex')) !== globex) return false;
      return true;
    }, `not both answer ${acme} to acme, and ${globex} to globex`);

  /** Of Envoy's statistics on the enforcers, asked from within the network that it shares with the backend. */
  const statistic = async (name: string): Promise<number> => {
    const url = `http://127.0.0.1:9901/stats?filter=^cluster.enforcer.${name}$`;
    const script = `fetch('${url}').then((answer) => answer.text()).then(console.log)`;
    return Number(/: (\d+)/.exec(await compose.exec('backend', 'node', '-e', script))?.[1] ?? 0);
  };
  const bothServe = () =>
    until(async () => (await statistic('membership_healthy')) === 2, 'Envoy has not both enforcers');

  /** Replaces both, one after the other, under load: what was answered to acme, and to somebody without certificate. */
  async function answersMeanwhile(): Promise<readonly Readonly<Record<string, number>>[]> {
    await bothServe();
    const common = { port, path, ca: pem('router-ca.pem'), concurrency: 2 };
    const loads = [client('acme'), undefined].map((certificate) => new Load({ ...common, certificate }));
    const hundredMore = () => {
      const most = loads.map(({ answered }) => answered + 100);
      return until(async () => loads.every(({ answered }, i) => answered >= most[i]!), 'no answers');
    };
    await hundredMore();
    for (const service of enforcers) {
      const before = await compose.id(service);
      await compose.replace(service);
      const id = await compose.id(service);
      assert.notEqual(id, before);
      const isHealthy = async () => (await inspect(id, '{{.State.Health.Status}}')) === 'healthy';
      await until(isHealthy, `${service} is not healthy`);
      await bothServe();
    }
    await hundredMore();
    return Promise.all(loads.map((load) => load.stop()));
  }

  it('both are replaced, one after the other, under load: nothing is lost, and nobody gets in', async (t) => {
    // Envoy waits 0.5 s for an answer, and so it does at its health checks: where the machine itself stands still for
    // longer, a round shows nothing, and is done again. Any other answer than 503 is wrong in every round.
    for (let round = 1; ; round++) {
      const [acme, nobody] = await answersMeanwhile();
      const { 200: admitted = 0, 503: lost = 0, ...others } = acme!;
      const { 401: refused = 0, 503: unanswered = 0, ...wrong } = nobody!;
      assert.deepEqual([others, wrong], [{}, {}]);
      assert.ok(admitted >= 200 && refused >= 200);
      if (lost + unanswered === 0) return;
      const lines = (await log(await compose.id('envoy'))).split('\n');
      const story = lines.filter((line) => line.includes('"status":503')).join('\n');
      t.diagnostic(`round ${round}: lost ${lost + unanswered}\n${story}`);
      assert.ok(round < 3, story);
    }
  });

  /** As its own lines say: CMD, HEALTHCHECK and USER, and the supervisor of two workers. */
  describe('the image alone', () => {
    let id: string;
    const health = () => inspect(id, '{{.State.Health.Status}} {{.State.Health.FailingStreak}}');
    /** What its health check has said so far. */
    const checks = async (): Promise<readonly { End: string; ExitCode: number; Output: string }[]> =>
      JSON.parse(await inspect(id, '{{json .State.Health.Log}}'));

    before(async () => {
      const state = compose.volume('state');
      id = await docker(
        ...['run', '--detach', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
        ...['--network', 'none', '--tmpfs', '/run/mtls-enforcer:uid=65532,gid=65532,mode=0700'],
        ...['--health-interval', '1s', '--volume', `${state}:/state:ro`],
        ...['--volume', `${state}:/etc/mtls-enforcer:ro`, 'mtls-enforcer'],
      );
    });
    after(() => id && docker('rm', '--force', id));

    it('becomes healthy, and both workers serve', async () => {
      await until(async () => (await health()) === 'healthy 0', 'it is not healthy');
      await until(async () => count(await log(id), /all workers serve/) === 1, 'not all workers serve');
    });

    it('keeps its configuration and stays healthy where config.toml is broken', async () => {
      await rewrite(compose, '$a [[apis', [id], /not reloaded.*config.toml/);
      const { End: broken } = (await checks()).at(-1)!;
      const since = async () => (await checks()).filter(({ End }) => End > broken).slice(1);
      await until(async () => (await since()).length >= 2, 'its health is not asked');
      for (const { ExitCode, Output } of await since()) {
        assert.equal(ExitCode, 0, Output);
        assert.match(Output, /SERVING/);
      }
      assert.equal(await health(), 'healthy 0');
    });

    it('SIGTERM: it stops in good order', async () => {
      await docker('kill', '--signal', 'TERM', id);
      assert.equal(await docker('wait', id), '0');
      assert.equal(count(await log(id), /"message":"stopped"/), 3); // both workers, and who watches over them
    });
  });

  it('stopped, each ends by itself: nothing is killed', async () => {
    const ids = await Promise.all([...enforcers, 'envoy', 'backend'].map(compose.id));
    await docker('stop', '--time', '30', ...ids);
    for (const id of ids)
      assert.equal(await inspect(id, '{{.State.ExitCode}} {{.State.OOMKilled}}'), '0 false');
  });
});

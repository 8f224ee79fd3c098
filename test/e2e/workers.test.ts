import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Load } from '../support/load.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { Gateway, petstore } from './gateway.ts';

const { envoy, skip } = await realEnvoy();

/** Two clients, one admitted and one refused, while the workers come and go: neither ever gets another answer. */
describe('two workers behind Envoy, under load', { skip }, () => {
  let gateway: Gateway;
  before(async () => {
    gateway = await Gateway.start(envoy!, {
      edit: (toml) => toml.replace(/^port = .*$/m, 'socket = "authz.sock"\nworkers = 2'),
    });
    await enforcer().line(/all workers serve/);
    await allHealthy();
  });
  after(() => gateway?.stop());

  const enforcer = () => gateway.stack.enforcer;
  const startedPid = (line: string): number => Number(/ pid=(\d+)/.exec(line)![1]);
  const pidOf = (worker: number): number =>
    startedPid(enforcer().lines.findLast((line) => isStarted(worker).test(line))!);
  const isStarted = (worker: number): RegExp => new RegExp(`info +started .*worker=${worker}$`);

  /** Of Envoy's statistics on the enforcer's cluster. */
  const statistic = (name: string) => gateway.stack.envoy!.statistic(`cluster.enforcer.${name}`);
  async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20)); // nothing tells us
  }
  const allHealthy = () => until(async () => (await statistic('membership_healthy')) === 2);

  /** What was answered to both clients while `act` went on, and before and after it. */
  async function answersDuring(act: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const { router } = gateway.stack.ports;
    const common = { port: router, ca: gateway.pki.routerCaPem, path: petstore, concurrency: 4 };
    const loads = [gateway.pki.clients.acme, undefined].map(
      (certificate) => new Load({ ...common, certificate }),
    );
    const hundredMore = () => {
      const most = loads.map(({ answered }) => answered + 100);
      return until(() => loads.every(({ answered }, i) => answered >= most[i]!));
    };
    await hundredMore();
    await act();
    await hundredMore();
    const [admitted, refused] = await Promise.all(loads.map((load) => load.stop()));
    const { 200: allowed = 0, ...others } = admitted!;
    const { 401: denied = 0, ...wrong } = refused!;
    assert.ok(allowed >= 200 && denied >= 200);
    return { ...others, ...wrong };
  }

  /**
   * What is lost, and not because the machine itself stood still for longer than Envoy waits for an answer: it counts
   * these.
   */
  async function lostDuring(act: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const timeouts = async () =>
      (await statistic('upstream_rq_timeout')) + (await statistic('upstream_rq_per_try_timeout'));
    const before = await timeouts();
    const { 503: unavailable = 0, ...others } = await answersDuring(act);
    await allHealthy();
    const lost = unavailable - ((await timeouts()) - before);
    return lost > 0 ? { ...others, 503: lost } : others;
  }
  const nothingIsLost = async (act: () => Promise<unknown>) => assert.deepEqual(await lostDuring(act), {});

  // node:http2 writes the message first and its trailers a turn later: who is killed in between has begun to answer, and
  // then Envoy can't ask another.
  for (const worker of [1, 2])
    it(`worker ${worker} is killed, and comes back: lost is at most what it had half answered`, async () => {
      const { 503: halfAnswered = 0, ...wrong } = await lostDuring(async () => {
        const from = enforcer().lines.length;
        process.kill(pidOf(worker), 'SIGKILL');
        await enforcer().line(new RegExp(`a worker ended.* signal=SIGKILL worker=${worker} `), from);
        await enforcer().line(isStarted(worker), from);
      });
      assert.deepEqual(wrong, {});
      assert.ok(halfAnswered <= 4, `${halfAnswered} of the 8 requests under way`);
      assert.equal(await statistic('upstream_rq_retry_limit_exceeded'), 0);
      assert.equal(await statistic('upstream_rq_retry_overflow'), 0);
    });

  it('SIGUSR2 renews both, one after the other', () =>
    nothingIsLost(async () => {
      const cutOff = await statistic('upstream_cx_destroy_with_active_rq');
      const from = enforcer().lines.length;
      const before = [pidOf(1), pidOf(2)];
      enforcer().kill('SIGUSR2');
      await enforcer().line(/info +renewed workers=2/, from);
      assert.ok(pidOf(1) !== before[0] && pidOf(2) !== before[1]);
      const order = enforcer()
        .lines.slice(from)
        .flatMap((line) => /info +(stopped|started)\b.* worker=(\d)$/.exec(line)?.slice(1).join(' ') ?? []);
      assert.deepEqual(order, ['stopped 1', 'started 1', 'stopped 2', 'started 2']);
      assert.equal(await statistic('upstream_cx_destroy_with_active_rq'), cutOff);
    }));

  it('a worker that hangs is left alone, and taken again once it goes on', () =>
    nothingIsLost(async () => {
      const pid = pidOf(1);
      process.kill(pid, 'SIGSTOP');
      try {
        await until(async () => (await statistic('membership_healthy')) === 1);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await allHealthy();
    }));
});

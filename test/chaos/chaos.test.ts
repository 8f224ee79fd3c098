import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseArgs } from 'node:util';
import { type Random, random, seedOf } from '../support/random.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import { type Disturbance, type Lane, lanes } from './disturbances.ts';
import { Turns } from './turns.ts';
import { answered, startWorld } from './world.ts';

/** `npm run test:chaos -- --minutes 10 --seed 1 --log FILE` (the enforcer's): each lane's disturbances come in the order that the seed gives it. */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '0.5' }, seed: { type: 'string' }, log: { type: 'string' } },
});
const milliseconds = Number(values.minutes) * 60_000;
/** For something to happen to all, where the machine is slow. */
const patience = 60_000;
const seed = seedOf(values.seed);

const { envoy, skip } = await realEnvoy();

describe('everything goes wrong at once, under load', {
  skip,
  timeout: milliseconds + patience + 180_000,
}, () => {
  it(`nobody is admitted or refused wrongly, seed ${seed}`, async (test) => {
    const world = await startWorld(envoy!);
    test.after(() => world.stop());
    const { judge } = world;
    const turns = new Turns();
    const times = new Map<string, number>();
    const end = Date.now() + milliseconds;
    let hasFailed = false;
    const suffered = new Set<Lane>();
    const isOver = (): boolean =>
      hasFailed ||
      (Date.now() > end && (all.every((lane) => suffered.has(lane)) || Date.now() > end + patience));

    /** All of a lane's disturbances, in ever another order. */
    async function follow(lane: Lane, chance: Random): Promise<void> {
      for (let deck: Disturbance[] = []; !isOver(); ) {
        if (deck.length === 0) deck = [...lane.disturbances];
        const [next] = deck.splice(chance.below(deck.length), 1);
        const act = (): Promise<void> => suffer(next!, lane);
        await (lane.isAlone ? turns.alone(act) : lane.outlives ? act() : turns.beside(act));
      }
    }

    async function suffer({ name, changes = {}, allows = {}, disturb, undo }: Disturbance, lane: Lane) {
      const changed = [...Object.keys(changes), ...Object.keys(allows)];
      const before = Object.fromEntries(changed.map((client) => [client, judge.latest(client)]));
      judge.disturbances.add(name);
      judge.announce(allows);
      judge.announce(changes);
      if (lane.isAlone) judge.isProcessAway = true;
      const hasEffect = (await disturb()) !== false;
      judge.settle(Object.keys(changes));
      await answered(world.loads, 10);
      judge.announce(allows);
      judge.announce(before);
      await undo();
      judge.settle(changed);
      if (lane.isAlone) judge.isProcessAway = false;
      judge.disturbances.delete(name);
      if (!hasEffect) return;
      times.set(name, (times.get(name) ?? 0) + 1);
      suffered.add(lane);
    }

    /** Answers that Envoy did not wait for, and moments in which it took all processes for unwell: of a machine that stands still. */
    const timeouts = async (): Promise<number> => {
      const names = ['upstream_rq_timeout', 'upstream_rq_per_try_timeout', 'upstream_cx_none_healthy'];
      const counts = names.map((name) => world.gateway.stack.envoy!.statistic(`cluster.enforcer.${name}`));
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    };
    const late = await timeouts();
    const all = lanes(world, (lane) => random(seed + lane), isOver).filter(
      ({ disturbances }) => disturbances.length > 0,
    );
    const ends = await Promise.allSettled(
      all.map((lane, i) =>
        follow(lane, random(seed + 100 + i)).catch((error) => {
          hasFailed = true;
          throw error;
        }),
      ),
    );

    const without = [
      ...(world.database ? [] : ['the database: there is no PostgreSQL']),
      ...(typeof world.envoyDisk === 'string' ? [`a full disk for Envoy's files: ${world.envoyDisk}`] : []),
    ];
    const lateBy = (await timeouts()) - late;
    const lines = [
      ...judge.table,
      `${String(lateBy).padStart(8)}  that Envoy did not wait for, each a 503 or asked again`,
      ...[...times].map(([name, count]) => `${String(count).padStart(8)}  ${name}`),
      ...without.map((what) => `without ${what}`),
      ...judge.wrong,
    ];
    for (const line of lines) test.diagnostic(line);
    if (values.log !== undefined)
      writeFileSync(values.log, `${world.gateway.stack.enforcer.lines.join('\n')}\n`);
    for (const one of ends)
      if (one.status === 'rejected') throw new Error(`seed ${seed}`, { cause: one.reason });
    for (const kind of ['wrong admission', 'wrong refusal', 'wrong reason'] as const)
      assert.equal(judge.counts.get(kind), 0, `${kind}, seed ${seed}`);
    // What a machine that stood still for longer than Envoy waits has cost, Envoy counts.
    assert.ok(
      judge.counts.get('other 503')! <= lateBy,
      `${judge.counts.get('other 503')} requests lost, ${lateBy} of them for want of time`,
    );
    for (const lane of all) assert.ok(suffered.has(lane), `nothing happened to ${lane.name}`);
  });
});

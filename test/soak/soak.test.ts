import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Gateway, petstore } from '../e2e/gateway.ts';
import { selfSigned } from '../support/certificate-authority.ts';
import type { ClientCertificate } from '../support/client.ts';
import { Load } from '../support/load.ts';
import { realEnvoy } from '../support/real-envoy.ts';
import type { Held } from './probe.ts';
import { growth, median, slope } from './trend.ts';

/** `npm run soak -- --minutes 60`; `--leak 1024` holds so many bytes a request for good, to show that it would be seen. */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '0.4' }, leak: { type: 'string', default: '0' } },
});
const milliseconds = Number(values.minutes) * 60_000;
const samples = 15;
/** The first are of caches that fill. */
const warmUp = 3;
const isLong = milliseconds >= 300_000;

const { envoy, skip } = await realEnvoy();

type Sample = Held & { readonly requests: number; readonly p50: number; readonly p99: number };

/** A third of what a leak of 1 KiB a request would be; but no more than the caches of strangers hold in the end. */
const unseen = (requests: number): number => Math.max(0.75 * (1 << 20), Math.min(requests * 340, 24 << 20));

/** What is looked at, in which unit, and how much more at the end is no trend. */
const columns: readonly {
  readonly name: keyof Sample;
  readonly unit: number;
  /** @param requests between the middles of the first and the last third */
  readonly most: (first: number, requests: number) => number;
}[] = [
  { name: 'heap', unit: 1 << 20, most: (_, requests) => unseen(requests) },
  { name: 'external', unit: 1 << 20, most: (_, requests) => unseen(requests) },
  { name: 'descriptors', unit: 1, most: () => 8 },
  { name: 'handles', unit: 1, most: () => 16 },
  // These say something only of a machine that has the time.
  { name: 'rss', unit: 1 << 20, most: (first) => (isLong ? first / 4 : Number.POSITIVE_INFINITY) },
  { name: 'p50', unit: 1, most: (first) => (isLong ? first : Number.POSITIVE_INFINITY) },
  { name: 'p99', unit: 1, most: (first) => (isLong ? 2 * first : Number.POSITIVE_INFINITY) },
];

describe('it holds no more than it did', { skip, timeout: milliseconds + 120_000 }, () => {
  it(`for ${values.minutes} minutes of rotating certificates, reloads and strangers`, async (test) => {
    const folder = mkdtempSync(join(tmpdir(), 'mtls-enforcer-soak-'));
    const run = join(folder, 'run');
    const made = async (subject: string): Promise<ClientCertificate> => {
      const [from, until] = [Date.now() - 86_400_000, Date.now() + 30 * 86_400_000];
      const { pem, privateKeyPem } = await selfSigned({
        subject,
        notBefore: new Date(from),
        notAfter: new Date(until),
      });
      return { certificatePem: pem, privateKeyPem };
    };
    const put = ({ certificatePem }: ClientCertificate): void => {
      writeFileSync(join(run, 'rotating.new'), certificatePem);
      renameSync(join(run, 'rotating.new'), join(run, 'rotating.pem'));
    };
    let rotating = await made('CN=rotating');
    const probe = join(folder, 'probe.sock');
    Object.assign(process.env, {
      SOAK_PROBE: probe,
      SOAK_LEAK: values.leak,
      NODE_OPTIONS: `--expose-gc --import ${new URL('./probe.ts', import.meta.url)}`,
    });
    const gateway = await Gateway.start(envoy!, {
      folder,
      watches: false,
      edit: (toml) => {
        put(rotating);
        return `${toml.replace('aliases = ["acme", "partners"]', 'aliases = ["acme", "partners", "rotating"]')}
[[clients]]
alias = "rotating"
file = "rotating.pem"
`;
      },
    });
    delete process.env.NODE_OPTIONS;
    test.after(() => gateway.stop());

    let isOver = false;
    let latencies: number[] = [];
    const ask = (certificate: ClientCertificate, concurrency: number): Load =>
      new Load({
        port: gateway.stack.ports.router,
        ca: gateway.pki.routerCaPem,
        path: petstore,
        certificate,
        concurrency,
        pause: 2,
        begin: () => {
          const begun = performance.now();
          return ({ status }) => {
            latencies.push(performance.now() - begun);
            return status;
          };
        },
      });
    const { acme, expired } = gateway.pki.clients;
    const [known, over] = [ask(acme, 8), ask(expired, 1)];
    /** A machine that stands still for longer than Envoy waits costs a 503, and shows nothing. */
    const verdict = async (certificate: ClientCertificate): Promise<string> => {
      for (;;) {
        const said = await gateway.verdict({ certificate });
        if (said !== '503') return said;
      }
    };
    let strangers = 0;
    const comeAndGo = async (): Promise<void> => {
      while (!isOver) {
        const certificate = await made(`CN=stranger ${++strangers}`);
        assert.equal(await verdict(certificate), '401 issuer_unknown');
        await setTimeout(500);
      }
    };
    let reloads = 0;
    const rotate = async (): Promise<void> => {
      while (!isOver) {
        const before = rotating;
        rotating = await made(`CN=rotating ${++reloads}`);
        put(rotating);
        assert.equal(await gateway.stack.enforcer.reload(), 'reloaded');
        assert.equal(await verdict(rotating), '200');
        assert.equal(await verdict(before), '401 issuer_unknown');
        await setTimeout(2_000);
      }
    };

    const taken: Sample[] = [];
    const watch = async (): Promise<void> => {
      for (let i = 0; i < warmUp + samples && !isOver; i++) {
        await setTimeout(milliseconds / (warmUp + samples));
        const held = JSON.parse(await text(connect(probe))) as Held;
        const sorted = latencies.toSorted((a, b) => a - b);
        latencies = [];
        const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
        const requests = known.answered + over.answered + strangers + 2 * reloads;
        const sample = { ...held, requests, p50: at(0.5), p99: at(0.99) };
        test.diagnostic(line(columns.map(({ name, unit }) => sample[name] / unit)));
        if (i >= warmUp) taken.push(sample);
      }
      isOver = true;
    };
    test.diagnostic(columns.map(({ name }) => name.padStart(12)).join(''));
    const works = [watch(), comeAndGo(), rotate()].map((work) =>
      work.finally(() => {
        isOver = true;
      }),
    );
    const ends = await Promise.allSettled(works);
    const [admitted, refused] = await Promise.all([known.stop(), over.stop()]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;

    const each = (name: keyof Sample): readonly number[] => taken.map((sample) => sample[name]);
    test.diagnostic(
      `${line(columns.map(({ name, unit }) => slope(each(name)) / unit))} (a sample, by least squares)`,
    );
    const requests = growth(each('requests'));
    test.diagnostic(
      `${taken.at(-1)!.requests} requests, ${requests} of them between the middles of the first and the last third; ${strangers} strangers, ${reloads} reloads`,
    );
    const trends = columns.flatMap(({ name, unit, most }) => {
      const grown = growth(each(name));
      const bound = most(median(each(name).slice(0, samples / 3)), requests);
      return grown > bound ? [`${name} grew by ${grown / unit}, more than ${bound / unit}`] : [];
    });
    assert.deepEqual(trends, []);
    const { 200: right = 0, 503: late = 0, ...wrong } = admitted;
    const { 401: denied = 0, 503: lateToo = 0, ...wrongToo } = refused;
    assert.deepEqual({ ...wrong, ...wrongToo }, {});
    assert.ok(right > 0 && denied > 0 && strangers > 0 && reloads > 0, `${late + lateToo} times 503`);
  });
});

const line = (values: readonly number[]): string =>
  values.map((value) => value.toFixed(2).padStart(12)).join('');

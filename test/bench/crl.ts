import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { decide } from '../../src/enforcer.ts';
import { CrlThread } from '../../src/feeds/crl-thread.ts';
import type { Certificate } from '../../src/pki/certificate/certificate.ts';
import { defaultPolicy } from '../../src/pki/path/path-options.ts';
import { readCrl } from '../../src/pki/revocation/crl.ts';
import { request } from '../support/attributes.ts';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { load } from '../support/enforcer.ts';
import { integer, name, sequence, time } from '../unit/pki/der-writer.ts';
import { ca, certify, type Entity, entity } from '../unit/pki/forge.ts';
import { crlExtensions, crlNumber, forgeCrlDer } from '../unit/pki/revocation/crl-forge.ts';

/** CRLs of real sizes: reading, index, look-up, memory; and what Checks notice of it. */
export async function run(): Promise<void> {
  console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}`);
  const issuer = entity('CA');
  const issuerCertificate = certify(issuer, issuer, [ca()]);
  console.log(
    'entries | bytes | read ms | index ms | look-up ns (hit, miss) | beside it MB | in the thread ms | Check p99 µs meanwhile (longest)',
  );
  for (const count of [10_000, 100_000, 1_000_000]) await size(count, issuer, issuerCertificate);
}

async function size(count: number, issuer: Entity, issuerCertificate: Certificate): Promise<void> {
  const der = crlOf(issuer, count);
  const { length } = der;
  const [readMs, crl] = timed(() => readCrl(der));
  const [indexMs] = timed(() => crl.revoked.index);
  // In an order that no cache and no branch predictor foresees.
  const look = (from: number, isListed: boolean): number => {
    const serials = Buffer.concat(
      Array.from({ length: lookups }, () => octetsOf(from + Math.floor(Math.random() * count))),
    );
    const one = new Uint8Array(16);
    const once = (): number => {
      let found = 0;
      const [ms] = timed(() => {
        for (let i = 0; i < lookups; i++) {
          for (let j = 0; j < 16; j++) one[j] = serials[16 * i + j]!;
          if (crl.revoked.find(issuerCertificate.subject.key, one) !== undefined) found++;
        }
      });
      assert.equal(found, isListed ? lookups : 0);
      return (ms * 1e6) / lookups;
    };
    return Math.round(median(Array.from({ length: 9 }, once)));
  };
  const [hit, miss] = [look(1, true), look(count + 1, false)];
  const { marks, starts } = crl.revoked.index;
  const memory = (marks.byteLength + starts.byteLength) / 1e6;
  const thread = new CrlThread();
  const weak = () => defaultPolicy.weakAlgorithms;
  await thread.read([crlOf(issuer, 1)], [issuerCertificate], weak);
  const check = await checks();
  const began = performance.now();
  let took = 0;
  const reading = thread.read([der], [issuerCertificate], weak).then((read) => {
    took = performance.now() - began;
    assert.equal(read?.crls.length, 1);
  });
  const spans = await spansUntil(reading, check);
  await thread.close();
  console.log(
    `${count} | ${length} | ${readMs.toFixed(1)} | ${indexMs.toFixed(1)} | ${hit}, ${miss} | ${memory.toFixed(1)} | ${took.toFixed(0)} | ${percentile(spans, 0.99).toFixed(0)} (${percentile(spans, 1).toFixed(0)})`,
  );
}

type Check = () => Promise<unknown>;

async function checks(): Promise<Check> {
  const authority = await createAuthority({ subject: 'CN=Partner CA' });
  const leaf = await authority.issue({ subject: 'CN=partner', extendedKeyUsage: 'client' });
  const { snapshot } = load(
    `[[clients]]\nalias = "partners"\ncaFile = "ca.pem"\n[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["partners"]\n`,
    { 'ca.pem': authority.pem },
  );
  const attributes = request({ path: '/a', certificate: encodeURIComponent(leaf.pem) });
  const check = async (): Promise<void> => {
    const decision = await decide(attributes, snapshot, now);
    assert.equal(decision.outcome, 'allow');
  };
  for (let i = 0; i < 5_000; i++) await check();
  return check;
}

/** µs of each, a hundred at a time with room for all else between. */
async function spansUntil(end: Promise<unknown>, check: Check): Promise<readonly number[]> {
  const spans: number[] = [];
  let isOver = false;
  void end.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const asked = performance.now();
    await new Promise(setImmediate);
    for (let i = 0; i < 20; i++) {
      const from = i === 0 ? asked : performance.now();
      await check();
      spans.push((performance.now() - from) * 1000);
    }
  }
  return spans;
}

const percentile = (spans: readonly number[], share: number): number =>
  spans.toSorted((a, b) => a - b)[Math.min(spans.length - 1, Math.floor(spans.length * share))] ?? 0;

const median = (numbers: readonly number[]): number => percentile(numbers, 0.5);

function timed<T>(run: () => T): [milliseconds: number, result: T] {
  const from = performance.now();
  const result = run();
  return [performance.now() - from, result];
}

/** Of sixteen octets, as CAs draw them; the same each time. */
const serial = (n: number): string =>
  `4${Math.imul(n, 0x9e3779b1).toString(16).replace('-', '').padStart(9, '0').slice(-9)}${n.toString(16).padStart(22, '0')}`.toUpperCase();

const lookups = 200_000;
const octetsOf = (n: number): Uint8Array => Buffer.from(serial(n), 'hex');

function crlOf(issuer: Entity, count: number): Uint8Array {
  const date = time(now);
  const entries = Array.from({ length: count }, (_, i) =>
    sequence(integer(BigInt(`0x${serial(i + 1)}`)), date),
  );
  return forgeCrlDer(issuer, {
    issuer: name(`CN=${issuer.name}`),
    // Not as so many arguments.
    revokedCertificates: sequence(Buffer.concat(entries)),
    crlExtensions: crlExtensions(crlNumber(1)),
  });
}

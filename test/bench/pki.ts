import 'reflect-metadata';
import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { X509Certificate as PeculiarCertificate, X509ChainBuilder } from '@peculiar/x509';
import * as pkijs from 'pkijs';
import {
  type Certificate,
  CertificateError,
  readCertificate,
} from '../../src/pki/certificate/certificate.ts';
import { CertificateCache } from '../../src/pki/certificate/certificate-cache.ts';
import { createEffort } from '../../src/pki/path/effort.ts';
import { validatePath } from '../../src/pki/path/path-validation.ts';
import { PathValidator } from '../../src/pki/path/path-validator.ts';
import { createTrustStore, type TrustStore } from '../../src/pki/path/trust-store.ts';
import { createAuthority, type KeyAlgorithm, now } from '../support/certificate-authority.ts';
import { oid, sequence } from '../unit/pki/der-writer.ts';
import {
  ca,
  certify,
  dns,
  entity,
  generateEc,
  nameConstraints,
  type Scheme,
  subjectAltName,
} from '../unit/pki/forge.ts';

type Chain = { readonly leaf: Uint8Array; readonly inter: Uint8Array; readonly root: Uint8Array };

/** Cold and cached validation against what else there is on npm, and what a hostile bundle costs at worst. */
export async function run(): Promise<void> {
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, µs each, best of 5 rounds`,
  );
  for (const algorithm of ['RSA-2048', 'P-256'] as const) {
    const chain = await makeChain(algorithm);
    await report(`${algorithm}: cold`, 200, cold(chain));
    await report(`${algorithm}: cold leaf, intermediate known`, 200, coldLeaf(chain));
    await report(`${algorithm}: cached`, 100_000, cached(chain));
    await report(`${algorithm}: pkijs`, 20, byPkijs(chain));
    await report(`${algorithm}: @peculiar/x509`, 20, byPeculiar(chain));
  }
  for (const [curve, hash, algorithm] of [
    ['P-256', 'sha256', '1.2.840.10045.4.3.2'],
    ['P-521', 'sha512', '1.2.840.10045.4.3.4'],
  ] as const) {
    const scheme: Scheme = { algorithm: sequence(oid(algorithm)), hash };
    await report(`hostile: 100 CAs of one name, ${curve}`, 3, manyIssuers(curve, scheme));
  }
  await report('hostile: 2,000 names under 2,000 constraints', 5, manyNames());
  await report('hostile: 64 KiB of noise', 100, noise());
}

async function makeChain(keyAlgorithm: KeyAlgorithm): Promise<Chain> {
  const root = await createAuthority({ subject: 'CN=Root', keyAlgorithm });
  const inter = await createAuthority({ subject: 'CN=Intermediate', keyAlgorithm, parent: root });
  const leaf = await inter.issue({ subject: 'CN=leaf', keyAlgorithm, extendedKeyUsage: 'client' });
  return { leaf: leaf.der, inter: inter.der, root: root.der };
}

const trust = (root: Certificate): TrustStore =>
  createTrustStore({ anchors: [{ kind: 'ca', certificate: root }] });

/** Everything but the anchor is read and verified anew each time. */
function cold({ leaf, inter, root }: Chain): () => void {
  const trustStore = trust(readCertificate(root));
  return () => {
    const intermediates = [readCertificate(inter)];
    assert.ok(validatePath(readCertificate(leaf), { trustStore, intermediates, now }).valid);
  };
}

/** A new client of a CA that is known: what most unseen certificates are. */
function coldLeaf({ leaf, inter, root }: Chain): () => void {
  const trustStore = trust(readCertificate(root));
  const intermediates = [readCertificate(inter)];
  return () => assert.ok(validatePath(readCertificate(leaf), { trustStore, intermediates, now }).valid);
}

function cached({ leaf, inter, root }: Chain): () => void {
  const validator = new PathValidator(trust(readCertificate(root)));
  const cache = new CertificateCache();
  const read = (der: Uint8Array): Certificate => {
    const certificate = cache.read(der);
    if (certificate instanceof CertificateError) throw certificate;
    return certificate;
  };
  return () => {
    if (
      !validator.validate({ leaf: read(leaf), intermediates: [read(inter)], now, effort: createEffort() })
        .valid
    )
      throw new Error('refused');
  };
}

function byPkijs({ leaf, inter, root }: Chain): () => Promise<void> {
  const trustedCerts = [pkijs.Certificate.fromBER(root)];
  return async () => {
    const certs = [pkijs.Certificate.fromBER(inter), pkijs.Certificate.fromBER(leaf)];
    const engine = new pkijs.CertificateChainValidationEngine({
      trustedCerts,
      certs,
      checkDate: new Date(now),
    });
    assert.equal((await engine.verify()).result, true);
  };
}

function byPeculiar({ leaf, inter, root }: Chain): () => Promise<void> {
  const anchor = new PeculiarCertificate(root);
  return async () => {
    const builder = new X509ChainBuilder({ certificates: [new PeculiarCertificate(inter), anchor] });
    assert.equal((await builder.build(new PeculiarCertificate(leaf))).length, 3);
  };
}

/** Each leads to others of the same name, and one by its issuer's name to the anchor. */
function manyIssuers(curve: string, scheme: Scheme): () => void {
  const issuers = Array.from({ length: 10 }, () => entity('Evil', generateEc(curve), scheme));
  const intermediates = issuers.flatMap((issuer) =>
    issuers.map((subject) => certify(issuer, subject, [ca()])),
  );
  intermediates.push(certify(entity('Root'), issuers[0]!, [ca()]));
  const leaf = certify(issuers[0]!, entity('leaf')).der;
  const root = entity('Root');
  const trustStore = trust(certify(root, root, [ca()]));
  return () => {
    // Read anew, so that no signature is remembered.
    const fresh = intermediates.map(({ der }) => readCertificate(der));
    const verdict = validatePath(readCertificate(leaf), { trustStore, intermediates: fresh, now });
    assert.equal(verdict.valid || verdict.code, 'path_search_exhausted');
  };
}

function manyNames(): () => void {
  const [root, inter] = [entity('Root'), entity('Intermediate')];
  const names = (of: string) => Array.from({ length: 2000 }, (_, i) => dns(`host-${i}.${of}.example.com`));
  const trustStore = trust(certify(root, root, [ca()]));
  const constrained = certify(root, inter, [ca(), nameConstraints([], names('a'))]).der;
  const leaf = certify(inter, entity('leaf'), [subjectAltName(...names('b'))]).der;
  return () => {
    const intermediates = [readCertificate(constrained)];
    const verdict = validatePath(readCertificate(leaf), { trustStore, intermediates, now });
    assert.equal(verdict.valid || verdict.code, 'name_constraints_too_many');
  };
}

function noise(): () => void {
  const bytes = Buffer.alloc(65_536, 0x30);
  return () => assert.throws(() => readCertificate(bytes), CertificateError);
}

async function report(what: string, times: number, work: () => void | Promise<void>): Promise<void> {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const pending = work();
      if (pending !== undefined) await pending;
    }
    best = Math.min(best, (performance.now() - start) / times);
  }
  const micros = best * 1000;
  console.log(`${what.padEnd(50)} ${micros.toFixed(micros < 10 ? 2 : 0).padStart(9)}`);
}

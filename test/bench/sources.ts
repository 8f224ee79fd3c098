import { randomBytes } from 'node:crypto';
import type { Attributes } from '../../src/attributes.ts';
import { type ReadingCaches, readingCaches } from '../../src/client-certificate/formats/reading-cache.ts';
import { type CertificateFormat, formatOf, formats } from '../../src/client-certificate/formats/table.ts';
import { asReceived } from '../../src/client-certificate/formats/xfcc.ts';
import { writeCertificate } from '../../src/client-certificate/outbound.ts';
import { trustedSenders } from '../../src/client-certificate/senders.ts';
import { type CertificateSources, readPresented } from '../../src/client-certificate/source.ts';
import { request } from '../support/attributes.ts';

const samples = 2_000;
const rounds = 6;
const clients = 100;

/** What reading certificates costs: bytes of a certificate's usual size, since nothing here looks inside. */
const der = (size: number): Uint8Array =>
  Buffer.concat([Buffer.from([0x30, 0x82, (size - 4) >> 8, (size - 4) & 0xff]), randomBytes(size - 4)]);

type Case = {
  readonly name: string;
  readonly sources: (caches: ReadingCaches | undefined) => CertificateSources;
  readonly make: () => Attributes;
};

const headerCase = (format: CertificateFormat, intermediates: number): Case => {
  const { header, chainHeader } = formatOf(format);
  return {
    name: intermediates === 0 ? format : `${format}, ${intermediates} more`,
    sources: (caches) => ({
      peer: undefined,
      headers: [
        { format, header, chainHeader, senders: trustedSenders(['127.0.0.0/8', '10.0.0.0/8']), caches },
      ],
      allowHeaderOverPlaintext: false,
    }),
    make: () =>
      request({
        headers: [
          ...Array.from({ length: 12 }, (_, i) => [`x-other-${i}`, 'value'] as const),
          ...writeCertificate(
            format,
            der(900),
            Array.from({ length: intermediates }, () => der(1100)),
            { header: asReceived(header) },
          ),
        ],
      }),
  };
};

const peerCase = (intermediates: number): Case => ({
  name: intermediates === 0 ? 'peer' : `peer, ${intermediates} more in XFCC`,
  sources: (caches) => ({
    peer: { presentedChain: true, caches },
    headers: [],
    allowHeaderOverPlaintext: false,
  }),
  make: () => {
    const leaf = der(900);
    const chain = Array.from({ length: intermediates }, () => der(1100));
    return request({
      certificate: writeCertificate('percent-pem', leaf)[0]![1],
      headers: writeCertificate('xfcc', leaf, chain),
    });
  },
});

/**
 * µs a request, the best of several rounds. A real request brings its texts as new strings, so each is copied ahead of
 * every round: hashing them is part of the price.
 */
function measure({ sources, make }: Case, distinct: number, caches: ReadingCaches | undefined): number {
  const settings = sources(caches);
  const requests = Array.from({ length: distinct }, make);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const fresh = Array.from({ length: samples }, (_, i) => structuredClone(requests[i % distinct]!));
    const start = performance.now();
    for (const attributes of fresh) {
      const presented = readPresented(attributes, settings, 0);
      if (presented.kind !== 'chain') throw new Error(JSON.stringify(presented));
    }
    best = Math.min(best, performance.now() - start);
  }
  return (best / samples) * 1_000;
}

export async function run(): Promise<void> {
  const names = Object.keys(formats) as CertificateFormat[];
  const cases = [
    peerCase(0),
    peerCase(2),
    ...names.map((format) => headerCase(format, 0)),
    ...names.filter((format) => formatOf(format).chain !== 'none').map((format) => headerCase(format, 2)),
  ];
  const cell = (micros: number): string => micros.toFixed(1).padStart(9);
  console.log(`${'µs a request'.padEnd(26)}     cold   cached`);
  for (const each of cases) {
    const cold = measure(each, samples, undefined);
    const cached = measure(each, clients, readingCaches());
    console.log(`${each.name.padEnd(26)}${cell(cold)}${cell(cached)}`);
  }
}

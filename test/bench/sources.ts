import { randomBytes } from 'node:crypto';
import type { Attributes } from '../../src/attributes.ts';
import { type CertificateFormat, formatOf, formats } from '../../src/client-certificate/formats.ts';
import { writeCertificate } from '../../src/client-certificate/outbound.ts';
import { trustedSenders } from '../../src/client-certificate/senders.ts';
import { type CertificateSources, readPresented } from '../../src/client-certificate/source.ts';
import { asReceived } from '../../src/client-certificate/xfcc.ts';
import { request } from '../support/attributes.ts';

const distinct = 2_000;
const rounds = 5;

/** What reading certificates costs: bytes of a certificate's usual size, since nothing here looks inside. */
const der = (size: number): Uint8Array =>
  Buffer.concat([Buffer.from([0x30, 0x82, (size - 4) >> 8, (size - 4) & 0xff]), randomBytes(size - 4)]);

type Case = {
  readonly name: string;
  readonly sources: CertificateSources;
  readonly make: () => Attributes;
};

const headerCase = (format: CertificateFormat, intermediates: number): Case => {
  const { header, chainHeader } = formatOf(format);
  return {
    name: intermediates === 0 ? format : `${format}, ${intermediates} more`,
    sources: {
      peer: undefined,
      headers: [{ format, header, chainHeader, senders: trustedSenders(['127.0.0.0/8', '10.0.0.0/8']) }],
      allowHeaderOverPlaintext: false,
    },
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
  sources: { peer: { presentedChain: true }, headers: [], allowHeaderOverPlaintext: false },
  make: () => {
    const leaf = der(900);
    const chain = Array.from({ length: intermediates }, () => der(1100));
    return request({
      certificate: writeCertificate('percent-pem', leaf)[0]![1],
      headers: writeCertificate('xfcc', leaf, chain),
    });
  },
});

/** µs for each format: the best round over requests that all differ, so that nothing is cached. */
function measure({ sources, make }: Case): number {
  const requests = Array.from({ length: distinct }, make);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (const attributes of requests) {
      const presented = readPresented(attributes, sources, 0);
      if (presented.kind !== 'chain') throw new Error(JSON.stringify(presented));
    }
    best = Math.min(best, performance.now() - start);
  }
  return (best / distinct) * 1_000;
}

export async function run(): Promise<void> {
  const names = Object.keys(formats) as CertificateFormat[];
  const cases = [
    peerCase(0),
    peerCase(2),
    ...names.map((format) => headerCase(format, 0)),
    ...names.filter((format) => formatOf(format).chain !== 'none').map((format) => headerCase(format, 2)),
  ];
  for (const each of cases) {
    console.log(`${each.name.padEnd(28)}${measure(each).toFixed(1).padStart(8)} µs`);
  }
}

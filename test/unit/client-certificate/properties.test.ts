import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CertificateFormat, formatOf, formats } from '../../../src/client-certificate/formats/table.ts';
import { asReceived } from '../../../src/client-certificate/formats/xfcc.ts';
import { writeCertificate } from '../../../src/client-certificate/outbound.ts';
import type { Presented } from '../../../src/client-certificate/presented.ts';
import { trustedSenders } from '../../../src/client-certificate/senders.ts';
import { readPresented } from '../../../src/client-certificate/source.ts';
import { request } from '../../support/attributes.ts';
import { base64, escaped, leaf, pem, read, root, sha256 } from './samples.ts';

const names = Object.keys(formats) as CertificateFormat[];

/** A SEQUENCE of any content: all that this room knows of a certificate. */
const der = fc.uint8Array({ minLength: 0, maxLength: 2000 }).map((content) => {
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([0x30, ...length]), content]);
});
const chain = fc.tuple(der, fc.array(der, { maxLength: 3 }));

const told = (presented: Presented): string =>
  presented.kind === 'chain'
    ? [presented.leaf, ...presented.intermediates].map(base64).join(' ')
    : presented.kind;

for (const format of names) {
  test(`${format}: any chain that is written is read as the same`, () => {
    const carried = formatOf(format).chain !== 'none';
    fc.assert(
      fc.property(chain, ([first, rest]) => {
        const presented = read(format, writeCertificate(format, first, rest));
        assert.equal(told(presented), [first, ...(carried ? rest : [])].map(base64).join(' '));
      }),
      { numRuns: 60 },
    );
  });
}

test('no two formats read the same bytes as different certificates', () => {
  const written = names.flatMap((format) =>
    writeCertificate(format, leaf, [root]).map(([, value]) => [format, value] as const),
  );
  const values = fc.constantFrom(...written);
  fc.assert(
    fc.property(
      values,
      fc.nat({ max: 4000 }),
      fc.string({ unit: 'binary-ascii', maxLength: 3 }),
      ([, text], at, junk) => {
        const place = at % (text.length + 1);
        for (const value of [text, text.slice(0, place) + junk + text.slice(place)]) {
          const leaves = names
            .map((format) =>
              read(format, [
                [formatOf(format).header, value],
                ['cf-client-cert-sha256', sha256(leaf)],
              ]),
            )
            .flatMap((presented) => (presented.kind === 'chain' ? [base64(presented.leaf)] : []));
          assert.ok(new Set(leaves).size <= 1, value);
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test('whatever changes in one place, the certificate comes out as it was, or not at all', () => {
  const samples = names.map((format) => [format, writeCertificate(format, leaf, [])] as const);
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.nat(),
      fc.constantFrom(...' \t\n\0"\'%+-/:;,=\\[]{}aA0\x80\xff'),
      fc.boolean(),
      ([format, headers], at, character, insert) => {
        const [name, value] = headers[0]!;
        const place = at % value.length;
        const changed = value.slice(0, place) + character + value.slice(place + (insert ? 0 : 1));
        const presented = read(format, [[name, changed], ...headers.slice(1)]);
        if (presented.kind !== 'chain') return;
        // A changed character of the base64 may give other bytes of the same length: the signature's to find.
        assert.equal(presented.leaf.length, leaf.length);
      },
    ),
    { numRuns: 4000 },
  );
});

/** Junk made of what the formats are made of. */
const piece = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 8 }),
  fc.constantFrom(
    '-----BEGIN CERTIFICATE-----',
    '-----END CERTIFICATE-----',
    '-----BEGIN+CERTIFICATE-----',
    '%0A',
    '%2B',
    '%',
    ',',
    ';',
    ':',
    '"',
    '\\"',
    '=',
    ' ',
    '\t',
    '(null)',
    'Hash=',
    'Cert="',
    'Chain="',
    '[{"cert":',
    '}]',
    '\xff',
    base64(leaf),
    escaped(pem(leaf)),
    sha256(leaf),
  ),
);
const junk = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

test('junk never throws, whatever the source', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      junk,
      junk,
      junk,
      fc.oneof(fc.constant(undefined), fc.ipV4(), fc.ipV6(), junk),
      fc.boolean(),
      (format, value, other, certificate, source, raw) => {
        const { header, chainHeader } = formatOf(format);
        const presented = readPresented(
          request({
            certificate,
            source,
            headersAreRaw: raw,
            headers: [
              [asReceived(header), value],
              [chainHeader ?? 'cf-client-cert-sha256', other],
            ],
          }),
          {
            peer: { presentedChain: true },
            headers: [{ format, header, chainHeader, senders: trustedSenders(['0.0.0.0/0', 'alias:a']) }],
            allowHeaderOverPlaintext: false,
            verifySender: () => ({ isSender: false, isBarred: false, why: '' }),
          },
          0,
        );
        assert.ok(['chain', 'none', 'error'].includes(presented.kind));
      },
    ),
    { numRuns: 5000 },
  );
});

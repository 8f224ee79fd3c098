import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { type ForeignOnly, issuerAmong } from '../../../src/provision/known-issuers.ts';
import { ca, certify, type Entity, entity, generateEc } from '../pki/forge.ts';

const caOf = (who: Entity): Certificate => certify(who, who, [ca()]);
const named = (keys = generateEc()): Entity => entity('CA', keys);
const issuer = named();
const leaf = certify(issuer, entity('leaf'));
const right = caOf(issuer);
const again = certify(entity('Above'), issuer, [ca()]);
const wrong = Array.from({ length: 100 }, () => caOf(named()));
const costly = Array.from({ length: 9 }, () => caOf(named(generateEc('P-521'))));
const oneKey = named(generateEc('P-521'));
const anew = Array.from({ length: 9 }, () => certify(entity('Above'), oneKey, [ca()]));

/** @param apis of what foreign files alone have */
const issuerOf = (
  own: readonly Certificate[],
  foreign: readonly Certificate[],
  apis: ForeignOnly = new Map(),
) => issuerAmong([...own, ...foreign], (one) => (own.includes(one) ? 0 : 1), apis)(leaf);
const inApi = (api: number, ...certificates: readonly Certificate[]): ForeignOnly =>
  new Map(certificates.map(({ sha256 }) => [sha256, new Set([api])]));

describe('who issued a certificate', () => {
  const rows: readonly (readonly [
    what: string,
    found: Certificate | undefined,
    expected: Certificate | undefined,
  ])[] = [
    ['however many of that name config.toml has', issuerOf([...wrong, right], []), right],
    ['of one key the first', issuerOf([...wrong, again, right], []), again],
    ['nobody of foreign files, for what config.toml has', issuerOf([], [right]), undefined],
    ['for a client of theirs one of config.toml first', issuerOf([again], [right], inApi(1, leaf)), again],
    ['as far as there is time', issuerOf([], [...wrong.slice(1), right], inApi(1, leaf)), right],
    ['and no further', issuerOf([], [...wrong, right], inApi(1, leaf)), undefined],
    ['which costly keys use up', issuerOf([], [...costly, right], inApi(1, leaf)), undefined],
    [
      'but one of them once, however often it was certified',
      issuerOf([], [...anew, right], inApi(1, leaf)),
      right,
    ],
    ['those of its API first', issuerOf([], [...wrong, right], inApi(1, leaf, right)), right],
  ];
  for (const [what, found, expected] of rows) it(what, () => assert.equal(found?.sha256, expected?.sha256));

  it('is looked for once, however often the certificate comes', () => {
    let tried = 0;
    const counted = new Proxy(right, {
      get: (of, key) => {
        if (key === 'subjectPublicKey') tried++;
        return Reflect.get(of, key);
      },
    });
    const ask = issuerAmong([counted], () => 0, new Map());
    const before = tried;
    ask(leaf);
    ask(readCertificate(leaf.der));
    assert.equal(tried, before + 1);
  });
});

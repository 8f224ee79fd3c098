import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Certificate, readCertificate } from '../../../src/pki/certificate/certificate.ts';
import { type ForeignCas, knownIssuers } from '../../../src/provision/known-issuers.ts';
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

const known = (own: readonly Certificate[], foreign: readonly Certificate[], apis: ForeignCas = new Map()) =>
  knownIssuers([...own, ...foreign], (one) => (own.includes(one) ? 0 : 1), apis);
/** For an API of a foreign file, if one is given; else for config.toml. */
const issuerOf = (
  own: readonly Certificate[],
  foreign: readonly Certificate[],
  pinnedBy?: number,
  apis?: ForeignCas,
) => known(own, foreign, apis).ofPin(leaf, pinnedBy);
const inApi = (api: number, ...certificates: readonly Certificate[]): ForeignCas =>
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
    ['for a client of theirs one of config.toml first', issuerOf([again], [right], 1), again],
    ['as far as there is time', issuerOf([], [...wrong.slice(1), right], 1), right],
    ['and no further', issuerOf([], [...wrong, right], 1), undefined],
    ['which costly keys use up', issuerOf([], [...costly, right], 1), undefined],
    ['but one of them once, however often it was certified', issuerOf([], [...anew, right], 1), right],
    ['those of its API first', issuerOf([], [...wrong, right], 1, inApi(1, right)), right],
    ['be it before another API’s', issuerOf([], [again, right], 1, inApi(1, right)), right],
    ['and each for itself', issuerOf([], [again, right], 2, inApi(1, right)), again],
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
    const ask = knownIssuers([counted], () => 0, new Map()).ofPin;
    const before = tried;
    ask(leaf);
    ask(readCertificate(leaf.der));
    assert.equal(tried, before + 1);
  });

  it('is found for an API of a foreign file where config.toml, which has it too, knows nobody', () => {
    const { ofPin } = known([], [right]);
    const found = [undefined, 1, undefined].map((pinnedBy) => ofPin(leaf, pinnedBy));
    assert.deepEqual(found, [undefined, right, undefined]);
  });

  it('of a foreign CA is whoever fits, of one of config.toml only who is of config.toml', () => {
    const below = certify(issuer, entity('Below'), [ca()]);
    const above = (own: readonly Certificate[]) => [
      ...known(own, [again, right, below], inApi(1, below, right)).above(below),
    ];
    assert.deepEqual(above([]), [again, right]);
    assert.deepEqual(above([below]), []);
  });
});

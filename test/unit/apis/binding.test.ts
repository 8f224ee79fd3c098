import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Bound, bind, type Unbound } from '../../../src/apis/binding.ts';
import {
  type Certificate,
  CertificateError,
  readCertificate,
} from '../../../src/pki/certificate/certificate.ts';
import { createEffort, type Effort } from '../../../src/pki/path/effort.ts';
import { SearchLimit } from '../../../src/pki/path/search-limit.ts';
import type { Snapshot } from '../../../src/snapshot.ts';
import { now } from '../../support/certificate-authority.ts';
import { load } from '../../support/enforcer.ts';
import { ca, certify, dns, type Entity, entity, subjectAltName } from '../pki/forge.ts';

/** What one request may cost over all aliases, and what strangers may cost the others. */

const count = 100;
const partners = Array.from({ length: count }, (_, i) => entity(`CA ${i}`));
const root = entity('Insider Root');
const issuing = entity('Insider Issuing');
const partnerCas = partners.map((each) => certify(each, each, [ca()]));
const rootCa = certify(root, root, [ca()]);
const issuingCa = certify(root, issuing, [ca()]);
const insider = certify(issuing, entity('insider'));

const pem = ({ der }: Certificate): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

const files = {
  'root.pem': pem(rootCa),
  ...Object.fromEntries(partnerCas.map((each, i) => [`ca${i}.pem`, pem(each)])),
};
const client = (i: number): string => `[[clients]]\nalias = "p${i}"\ncaFile = "ca${i}.pem"\n`;
const partnerAliases = partnerCas.map((_, i) => client(i)).join('');
const api = (name: string, aliases: readonly string[]): string =>
  `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\naliases = ${JSON.stringify(aliases)}\n`;
const all = partnerCas.map((_, i) => `p${i}`);
const toml = (more = '') =>
  `${partnerAliases}[[clients]]\nalias = "insider"\ncaFile = "root.pem"\n${more}${api('big', all)}${api('own', ['insider'])}`;

type Asked = { readonly effort?: Effort; readonly at?: number };

function ask(
  { apis, everyone }: Snapshot,
  name: string,
  leaf: Certificate,
  intermediates: readonly Certificate[],
  { effort = createEffort(), at = now }: Asked = {},
): string {
  const { security } = apis.apis.find((each) => each.name === name)!;
  const result: Bound | Unbound = bind({ leaf, intermediates, now: at, effort }, security.clients, everyone);
  return result.isBound ? result.client.alias : result.code;
}

/** Read anew, so that nothing is remembered of it. */
const anew = (certificates: readonly Certificate[]): readonly Certificate[] =>
  certificates.map(({ der }) => readCertificate(der));

/** CAs of one name and key that certify each other, told apart by other names, and some that names lead up from. */
const ring = (of: Entity, leadsTo: readonly Entity[] = []): readonly Certificate[] => [
  ...Array.from({ length: 9 - leadsTo.length }, (_, i) =>
    certify(of, of, [ca(), subjectAltName(dns(`n${i}.example`))]),
  ),
  ...leadsTo.map(({ name }) => certify({ ...of, name }, of, [ca()])),
];

/** The same with a key for each: nearly every signature is wrong. */
const crowd = (name: string, leadsTo: Entity): readonly Certificate[] => {
  const others = Array.from({ length: 8 }, () => entity(name));
  return [
    ...others.map((other, i) => certify(others[(i + 1) % others.length]!, other, [ca()])),
    certify({ ...entity(leadsTo.name) }, others[0]!, [ca()]),
  ];
};

test('a ring of nine that no name leads out of costs no signature, whatever the number of aliases', () => {
  const { snapshot } = load(toml(), files);
  assert.equal(ask(snapshot, 'own', insider, [issuingCa]), 'insider');
  const effort = createEffort();
  assert.equal(ask(snapshot, 'big', insider, anew(ring(issuing)), { effort }), 'certificate_not_bound');
  assert.equal(effort.checks, 0);
  const stranger = certify(issuing, entity('stranger'));
  const another = createEffort();
  assert.equal(ask(snapshot, 'big', stranger, anew(ring(issuing)), { effort: another }), 'issuer_unknown');
  assert.equal(another.checks, 0);
});

test('a ring of nine that names lead out of to five aliases costs one budget, and each signature once', () => {
  const { snapshot } = load(toml(), files);
  assert.equal(ask(snapshot, 'own', insider, [issuingCa]), 'insider');
  const effort = createEffort();
  const offered = ring(issuing, partners.slice(0, 5));
  assert.equal(
    ask(snapshot, 'big', readCertificate(insider.der), offered, { effort }),
    'path_search_exhausted',
  );
  const known = createEffort();
  assert.equal(ask(snapshot, 'big', insider, anew(offered), { effort: known }), 'path_search_exhausted');
  for (const { checks, search } of [effort, known]) {
    assert.ok(checks <= 15, `${checks} checks of the leaf, four that certify each other, and five more`);
    assert.ok(
      search.signatureChecks <= 113,
      `${search.signatureChecks}: the budget, and the check that overdrew it`,
    );
  }
});

test('a crowd of nine keys costs one budget, whatever the number of aliases it leads to', () => {
  const { snapshot } = load(toml(), files);
  assert.equal(ask(snapshot, 'own', insider, [issuingCa]), 'insider');
  const effort = createEffort();
  ask(snapshot, 'big', insider, crowd('Insider Issuing', partners[50]!), { effort });
  assert.ok(effort.checks <= 100, `${effort.checks} checks`);
});

test('the last of a hundred CAs of one name admits its clients, whose certificates do not say which it is', () => {
  const same = Array.from({ length: count }, () => entity('Client CA'));
  const cas = same.map((each) => certify(each, each, [ca()]));
  const { snapshot } = load(
    `${partnerAliases}${api('big', all)}`,
    Object.fromEntries(cas.map((each, i) => [`ca${i}.pem`, pem(each)])),
  );
  for (const i of [0, 40, count - 1]) {
    const leaf = certify(same[i]!, entity('client'));
    const effort = createEffort();
    assert.equal(ask(snapshot, 'big', leaf, [], { effort }), `p${i}`);
    assert.ok(effort.checks <= count, `${effort.checks} checks`);
  }
});

test('of two CAs that certified one issuer each alias is found, in the order of aliases', () => {
  const shared = entity('Shared');
  const byFirst = certify(partners[0]!, shared, [ca()]);
  const bySecond = certify(partners[1]!, shared, [ca()]);
  const { snapshot } = load(`${partnerAliases}${api('both', ['p1', 'p0'])}${api('one', ['p0'])}`, files);
  const leaf = certify(shared, entity('client'));
  assert.equal(ask(snapshot, 'both', leaf, [byFirst, bySecond]), 'p1');
  assert.equal(ask(snapshot, 'one', leaf, [byFirst, bySecond]), 'p0');
  assert.equal(ask(snapshot, 'both', leaf, []), 'p1', 'what was found valid stays valid');
  assert.equal(ask(snapshot, 'one', leaf, []), 'p0', 'what was found valid stays valid');
});

test('who offers what takes too long is not let in past an alias that is switched off', () => {
  const [off, on] = [entity('Off'), entity('On')];
  const shared = entity('Shared');
  const cas = { 'off.pem': pem(certify(off, off, [ca()])), 'on.pem': pem(certify(on, on, [ca()])) };
  const { snapshot } = load(
    `[[clients]]\nalias = "off"\ncaFile = "off.pem"\nnotAfter = ${new Date(now + 60_000).toISOString()}\n[[clients]]\nalias = "on"\ncaFile = "on.pem"\n${api('a', ['on', 'off'])}`,
    cas,
  );
  const [byOff, byOn] = [certify(off, shared, [ca()]), certify(on, shared, [ca()])];
  const leaf = certify(shared, entity('client'));
  const later = { at: now + 120_000 };
  assert.equal(ask(snapshot, 'a', leaf, [byOn]), 'on');
  assert.equal(ask(snapshot, 'a', leaf, [byOn, byOff], later), 'alias_not_current');
  const other = certify(shared, entity('client'));
  assert.equal(ask(snapshot, 'a', other, [byOn]), 'on');
  // Names that lead to the alias that is off, and more of them than can be tried.
  const many = Array.from({ length: 12 }, () => ring(shared, [off, off, off])).flat();
  assert.equal(ask(snapshot, 'a', other, many, later), 'path_search_exhausted');
});

test('beyond the ceiling strangers are refused at once, while known clients go on and new ones are let in', () => {
  const { snapshot } = load(toml(), files);
  const limit = new SearchLimit({ firstPerSecond: 100, furtherPerSecond: 20, furtherAtOnce: 20 });
  const from = (at: number): Asked => ({ effort: createEffort(limit), at });
  assert.equal(ask(snapshot, 'own', insider, [issuingCa], from(now)), 'insider');
  const codes = Array.from({ length: 8 }, () =>
    ask(snapshot, 'own', certify(entity('Evil'), entity('s')), crowd('Evil', root), from(now)),
  );
  assert.equal(codes.at(-1), 'certificate_search_limited');
  assert.equal(ask(snapshot, 'own', insider, [], from(now)), 'insider', 'known');
  const fresh = certify(issuing, entity('new client'));
  assert.equal(ask(snapshot, 'own', fresh, [issuingCa], from(now)), 'insider', 'new, and simple');
  const refused = certify(entity('Evil'), entity('s'));
  const offered = crowd('Evil', root);
  assert.equal(ask(snapshot, 'own', refused, offered, from(now)), 'certificate_search_limited');
  assert.equal(
    ask(snapshot, 'own', refused, offered, from(now + 5000)),
    'signature_invalid',
    'not remembered',
  );
});

test('a certificate is whose it is when it comes for the first time, whatever the number of rules', () => {
  for (const [more, aliases, expected] of [
    ['', [], 'certificate_not_bound'],
    ['disabled = true\n', ['self'], 'self'],
  ] as const) {
    // By its name, the CA may have issued it: for each rule that takes any CA, its signature is looked at.
    const self = entity('Insider Root');
    const own = certify(self, self);
    const rule = `spki = ["${hash('sha256', own.subjectPublicKey.spki)}"]\n${more}`;
    const ruled = Array.from({ length: 600 }, (_, i) => `r${i}`);
    const { snapshot } = load(
      `[router.downstream.tls]\ntrustedCertPath = "root.pem"\n[[clients]]\nalias = "self"\nfile = "self.pem"\n${ruled
        .map((alias) => `[[clients]]\nalias = "${alias}"\n${rule}`)
        .join('')}${api('ruled', [...aliases, ...ruled])}`,
      { ...files, 'self.pem': pem(own) },
    );
    for (const time of ['first', 'second', 'third']) {
      const leaf = snapshot.certificates.read(own.der);
      assert.ok(!(leaf instanceof CertificateError));
      assert.equal(ask(snapshot, 'ruled', leaf, []), expected, time);
    }
  }
});

/** As `--expose-gc` gives it. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

test('valid certificates that three hundred aliases refuse leave nothing behind', () => {
  const many = Array.from({ length: 300 }, (_, i) => entity(`CA ${i}`));
  const cas = many.map((each) => certify(each, each, [ca()]));
  const { snapshot } = load(
    `${cas.map((_, i) => client(i)).join('')}[[clients]]\nalias = "insider"\ncaFile = "root.pem"\n${api(
      'big',
      cas.map((_, i) => `p${i}`),
    )}${api('own', ['insider'])}`,
    { 'root.pem': pem(rootCa), ...Object.fromEntries(cas.map((each, i) => [`ca${i}.pem`, pem(each)])) },
  );
  const leaves = Array.from({ length: 500 }, () => certify(issuing, entity('client')));
  for (const leaf of leaves) assert.equal(ask(snapshot, 'own', leaf, [issuingCa]), 'insider');
  const before = heapUsed();
  for (const leaf of leaves) assert.equal(ask(snapshot, 'big', leaf, []), 'certificate_not_bound');
  const perLeaf = (heapUsed() - before) / leaves.length;
  // It was 150 KiB: half a KiB for each alias. 1 KiB of 16,384 leaves is 16 MiB.
  assert.ok(perLeaf < 1024, `${perLeaf} bytes a leaf`);
});

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Attributes, Header } from '../../src/attributes.ts';
import { writeCertificate } from '../../src/client-certificate/outbound.ts';
import type { Decision } from '../../src/decision.ts';
import { decide } from '../../src/enforcer.ts';
import { writeAnswer } from '../../src/ext-authz/answer.ts';
import { writeCheckResponse } from '../../src/ext-authz/check-response.ts';
import { encodeCheckResponse } from '../../src/ext-authz/encode.ts';
import { auditLine } from '../../src/observability/audit.ts';
import { type Certificate, CertificateError } from '../../src/pki/certificate/certificate.ts';
import { CertificateCache } from '../../src/pki/certificate/certificate-cache.ts';
import { createCrlSet } from '../../src/pki/revocation/crl-set.ts';
import { isProblems, loadConfig } from '../../src/provision/load-config.ts';
import type { Provisioned } from '../../src/provision/provision.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import { request } from '../support/attributes.ts';
import { now } from '../support/certificate-authority.ts';
import { random, seedOf } from '../support/random.ts';
import { createTokenIssuer } from '../support/token-issuer.ts';
import { ca, certify, dayMs, dns, entity, subjectAltName, thumb, validity } from './pki/forge.ts';
import { crl } from './pki/revocation/crl-forge.ts';

/**
 * What came before must not change what becomes of a request, which passes through several states: seen for the first
 * time, known to have come, remembered with its path, with its answer. Each is decided by snapshots that have seen the
 * others, and by one that has seen nothing.
 */
const [root, issuing, balancers] = [entity('Root'), entity('Issuing'), entity('Balancers')];
const rootCa = certify(root, root, [ca()]);
const issuingCa = certify(root, issuing, [ca()]);
/** Known to those who send it along, and nobody else. */
const beyond = entity('Beyond');
const beyondCa = certify(root, beyond, [ca()]);
const balancersCa = certify(balancers, balancers, [ca()]);
const acme = entity('acme');
const named = [subjectAltName(dns('a.example.com'))];
const lasting = { validity: validity(now - dayMs, now + 30 * dayMs) };
const good = certify(issuing, entity('a'), named);

/** As long, and with the same end: for caches by the end the same one. */
function lookalike(der: Uint8Array): Uint8Array {
  const forged = Buffer.from(der);
  forged[forged.indexOf('a.example.com')] = 0x62;
  return forged;
}

const ofIssuing = (der: Uint8Array) => ({ der, chain: [issuingCa.der] });
const clients: readonly { readonly der: Uint8Array; readonly chain: readonly Uint8Array[] }[] = [
  ofIssuing(good.der),
  ofIssuing(lookalike(good.der)),
  ofIssuing(certify(issuing, entity('b')).der),
  { der: certify(beyond, entity('c'), named).der, chain: [beyondCa.der] },
  { der: certify(beyond, entity('e'), named, lasting).der, chain: [beyondCa.der] },
  ofIssuing(certify(entity('Issuing'), entity('a'), named).der),
  { der: certify(root, entity('d'), named).der, chain: [] },
  { der: certify(acme, acme).der, chain: [] },
  { der: certify(entity('stranger'), entity('stranger')).der, chain: [] },
  { der: Buffer.from('no certificate'), chain: [] },
];
const senders = [certify(balancers, entity('lb')), certify(balancers, entity('lb'), [], lasting)];

const idp = createTokenIssuer(now);
const boundTo = ({ der }: { readonly der: Uint8Array }): string =>
  idp.token({
    exp: now / 1000 + 365 * 86_400,
    cnf: { 'x5t#S256': Buffer.from(thumb(der), 'hex').toString('base64url') },
  });
const tokens = [undefined, boundTo(good), boundTo(clients[2]!), idp.token(), 'opaque'];

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

/** Of its own, under the name that another has for its. */
const own = (tier: string): string =>
  `[[apis.clients]]\nalias = "own"\ncaFile = "root.pem"\ntier = "${tier}"\n`;

const toml = (isOff: boolean, revocation: string): string => `[enforcer.security.mutualSSL]
enableOutboundCertificateHeader = true
outboundFormat = "xfcc"
outboundHeader = "x-client"
senderCaPath = "balancers.pem"
[[enforcer.security.mutualSSL.sources]]
format = "peer"
[[enforcer.security.mutualSSL.sources]]
format = "rfc9440"
trustedSenders = ["alias:lb", "10.0.0.0/8"]
[[enforcer.security.mutualSSL.senders]]
alias = "lb"
caFile = "balancers.pem"
${revocation}[[enforcer.security.tokenService]]
name = "idp"
issuer = "https://idp.test"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "acme"
file = "acme.pem"
[[clients]]
alias = "partners"
caFile = "root.pem"
tier = "Gold"
[[clients]]
alias = "issued"
caFile = "issuing.pem"
[[clients]]
alias = "named"
caFile = "root.pem"
dns = ["*.example.com"]
tier = "Gold"
notAfter = ${new Date(now + 20 * dayMs).toISOString()}
[[clients]]
alias = "off"
caFile = "root.pem"
subject = "CN=b"
disabled = ${isOff}
${[
  ['one', 'aliases = ["acme", "partners"]'],
  ['two', 'aliases = ["issued", "acme"]'],
  ['three', 'aliases = ["named"]'],
  ['four', 'aliases = ["off", "partners"]\nmutualSSL = "optional"\noptionalCertificate = "ignore-wrong"'],
  ['five', 'aliases = ["acme", "partners"]\nmutualSSL = "optional"\napplicationSecurity = "mandatory"'],
  ['six', own('Gold')],
  ['seven', own('Silver')],
]
  .map(([name, lines]) => `[[apis]]\nname = "${name}"\nversion = "1"\nbasePath = "/${name}"\n${lines}\n`)
  .join('')}`;
const apis = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
const revocation =
  '[enforcer.security.revocation]\nmode = "hard-fail"\ncrlUrls = ["http://ca.test/ca.crl"]\n';

const folder = mkdtempSync(join(tmpdir(), 'memory-'));
after(() => rmSync(folder, { recursive: true }));
const configurations = [toml(false, ''), toml(true, ''), toml(false, revocation)];
for (const [name, content] of Object.entries({
  'root.pem': pem(rootCa.der),
  'issuing.pem': pem(issuingCa.der),
  'balancers.pem': pem(balancersCa.der),
  'acme.pem': pem(clients[7]!.der),
  'jwks.json': idp.jwks,
  ...Object.fromEntries(configurations.map((text, i) => [`${i}.toml`, text])),
}))
  writeFileSync(join(folder, name), content);

const lists = { nextUpdate: now + 365 * dayMs };
const revokedOf = (...all: readonly Certificate[]) =>
  createCrlSet([
    crl(root, { ...lists, revoked: all.filter((one) => one === issuingCa).map((one) => one.serialNumber) }),
    crl(beyond, lists),
    crl(issuing, {
      ...lists,
      revoked: all.filter((one) => one !== issuingCa).map((one) => one.serialNumber),
    }),
  ]);
const crlSets = [createCrlSet([]), revokedOf(), revokedOf(), revokedOf(good), revokedOf(issuingCa)];

type Asked = { readonly attributes: Attributes; readonly headers: readonly Header[] };

async function answerOf(
  { attributes }: Asked,
  snapshot: Snapshot,
  at: number,
  write: (decision: Decision) => Buffer,
): Promise<string> {
  const decision = await decide(attributes, snapshot, at);
  const line = auditLine(attributes, decision, { now: at, microseconds: 0, generation: 0 });
  return `${line}${write(decision).toString('latin1')}`;
}

/** A request but for when it comes, and to whom. */
type Template = {
  readonly client: (typeof clients)[number];
  readonly by: 'peer' | 'sender' | 'address' | 'stranger' | 'none';
  readonly sender: Certificate;
  readonly token: string | undefined;
  readonly api: string;
};

function asked({ client: { der, chain }, by, sender, token, api }: Template): Asked {
  const headers: Header[] = [
    ...(by === 'none' ? [] : writeCertificate(by === 'peer' ? 'xfcc' : 'rfc9440', der, chain)),
    ...(token === undefined ? [] : [['authorization', `Bearer ${token}`] as const]),
  ];
  const passed = by === 'sender' ? sender.der : by === 'peer' ? der : undefined;
  const attributes = request({
    path: `/${api}`,
    headers,
    source: by === 'address' ? '10.0.0.1' : '192.0.2.1',
    certificate: passed && encodeURIComponent(pem(passed)),
  });
  return { attributes, headers };
}

const seed = seedOf(process.env.MEMORY_SEED ?? '1');
const count = Number(process.env.MEMORY_REQUESTS ?? 6_000);

test(`whatever came before, a request is decided and answered as if nothing had`, async () => {
  const { below, of } = random(seed);
  const knowledge = { version: 0, crls: crlSets[1]! };
  const provisioned = (which: number, before?: Provisioned): Provisioned => {
    const options = { revocationKnowledge: knowledge, ...(before && { before }) };
    const loaded = loadConfig(join(folder, `${which}.toml`), {}, now, options);
    assert.ok(!isProblems(loaded), `${which}.toml`);
    return loaded;
  };
  const drawn = (): { readonly whole: Template; readonly short: Template } => {
    const whole: Template = {
      client: of(clients),
      by: of(['peer', 'peer', 'sender', 'sender', 'address', 'stranger', 'none']),
      sender: of(senders),
      token: of(tokens),
      api: of(apis),
    };
    const isShort = whole.client.chain.length > 0;
    return { whole, short: isShort ? { ...whole, client: { der: whole.client.der, chain: [] } } : whole };
  };
  /** What comes of it where nothing else came. */
  const freshly = new Map<Template, Map<string, string>>();
  let at = now;
  const fresh = async (which: number, template: Template): Promise<string> => {
    const known = freshly.get(template) ?? new Map<string, string>();
    freshly.set(template, known);
    const key = `${which} ${at} ${which === 2 ? crlSets.indexOf(knowledge.crls) : ''}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const { snapshot } = provisioned(which);
    const sent = asked(template);
    const answer = await answerOf(sent, snapshot, at, (decision) =>
      encodeCheckResponse(writeCheckResponse(decision, snapshot.answers, sent.headers)),
    );
    known.set(key, answer);
    return answer;
  };
  /** In force for long, and one beside the other, as a shadow is. */
  const lasting = configurations.map((_, i) => provisioned(i));
  const templates = Array.from({ length: 40 }, drawn);
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    if (below(200) === 0) at = now + of([-2, 0, 0, 1, 25, 31]) * dayMs;
    if (below(80) === 0) {
      knowledge.crls = of(crlSets);
      knowledge.version++;
    }
    if (below(50) === 0) templates[below(templates.length)] = drawn();
    const which = below(configurations.length);
    if (below(400) === 0) lasting[which] = provisioned(which, of(lasting));
    const { whole, short } = of(templates);
    const template = below(3) === 0 ? short : whole;
    const { snapshot } = lasting[which]!;
    const sent = asked(template);
    const found = await answerOf(sent, snapshot, at, (decision) =>
      writeAnswer(decision, snapshot.answers, sent.headers),
    );
    const expected = await fresh(which, template);
    // A path that was found whole goes for whoever leaves out what completed it.
    const isByMemory = template !== whole && found !== expected;
    if (isByMemory) assert.equal(found, await fresh(which, whole));
    else assert.equal(found, expected, `seed ${seed}, request ${i}`);
    const code = /"reason":"(\w+)"/.exec(found)?.[1] ?? 'admitted';
    const outcome = isByMemory ? `${code} by memory` : code;
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  const isEnough = seen.size >= 12 && seen.get('admitted')! > count / 6;
  assert.ok(isEnough && seen.get('admitted by memory')! >= 5, JSON.stringify([...seen]));
});

test('what passes for known by its end alone is read as what it is', () => {
  const cache = new CertificateCache();
  for (let times = 0; times < 6; times++)
    for (const der of [good.der, lookalike(good.der)]) {
      const read = cache.read(der);
      assert.ok(!(read instanceof CertificateError));
      assert.equal(read.sha256, thumb(der));
    }
});

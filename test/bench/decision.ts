import type { Attributes } from '../../src/attributes.ts';
import { decide } from '../../src/enforcer.ts';
import type { Snapshot } from '../../src/snapshot.ts';
import { type RequestParts, request } from '../support/attributes.ts';
import { createAuthority, now } from '../support/certificate-authority.ts';
import { load } from '../support/enforcer.ts';
import { createTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

const clients = 200;
const rounds = 15;

/** µs a decision, median of rounds: each client's first request (cold) and its later ones (warm), all of one run. */
export async function run(): Promise<void> {
  const ca = await createAuthority({ subject: 'CN=CA' });
  const leaves = await Promise.all(
    Array.from({ length: clients }, (_, i) => ca.issue({ subject: `CN=client ${i}` })),
  );
  const issuers = { ES256: createTokenIssuer(now), RS256: createTokenIssuer(now, { kind: 'RS256' }) };
  const certificate = (i: number): RequestParts => ({ certificate: encodeURIComponent(leaves[i]!.pem) });
  const token = (issuer: TokenIssuer, i: number, claims: object = {}): RequestParts => ({
    headers: [['authorization', `Bearer ${issuer.token({ sub: `user ${i}`, ...claims })}`]],
  });
  const cases: readonly [
    name: string,
    path: string,
    key: 'ES256' | 'RS256',
    of: (i: number) => RequestParts,
  ][] = [
    ['mutual TLS alone', '/tls', 'ES256', certificate],
    ['token alone, ES256', '/token', 'ES256', (i) => token(issuers.ES256, i)],
    ['token alone, RS256', '/token', 'RS256', (i) => token(issuers.RS256, i)],
    ['both mandatory, ES256', '/both', 'ES256', (i) => ({ ...certificate(i), ...token(issuers.ES256, i) })],
  ];
  process.stdout.write(`${clients} clients, ${rounds} rounds; µs a decision\n\n`);
  process.stdout.write('| request | cold | warm | cold : warm |\n| --- | --- | --- | --- |\n');
  for (const [name, path, key, of] of cases) {
    const requests = leaves.map((_, i) => request({ path, ...of(i) }));
    const colds: number[] = [];
    const warms: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const snapshot = snapshotOf(ca.pem, issuers[key]);
      colds.push(await time(requests, snapshot));
      // What came once is not remembered.
      await time(requests, snapshot);
      warms.push(await time(requests, snapshot), await time(requests, snapshot));
    }
    const [cold, warm] = [median(colds), median(warms)];
    process.stdout.write(
      `| ${name} | ${cold.toFixed(1)} | ${warm.toFixed(1)} | ${(cold / warm).toFixed(1)} |\n`,
    );
  }
}

const snapshotOf = (caPem: string, issuer: TokenIssuer): Snapshot =>
  load(
    `[[enforcer.security.tokenService]]
name = "idp"
issuer = "${issuer.issuer}"
jwksPath = "jwks.json"
audiences = ["https://api.test"]
[[clients]]
alias = "clients"
caFile = "ca.pem"
${['tls', 'token', 'both']
  .map(
    (name) => `[[apis]]
name = "${name}"
version = "1"
basePath = "/${name}"
mutualSSL = "${name === 'token' ? 'off' : 'mandatory'}"
aliases = ["clients"]
applicationSecurity = "${name === 'tls' ? 'off' : 'mandatory'}"
scopes = [${name === 'tls' ? '' : '"orders:read"'}]
`,
  )
  .join('')}`,
    { 'ca.pem': caPem, 'jwks.json': issuer.jwks },
  ).snapshot;

/** Each request's texts are new, as they are when they come in. */
async function time(requests: readonly Attributes[], snapshot: Snapshot): Promise<number> {
  const copies = requests.map((each) => structuredClone(each));
  const began = performance.now();
  for (const each of copies) {
    const decision = await decide(each, snapshot, now);
    if (decision.outcome !== 'allow') throw new Error(decision.code);
  }
  return ((performance.now() - began) * 1000) / copies.length;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

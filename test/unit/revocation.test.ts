import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../src/enforcer.ts';
import type { Certificate } from '../../src/pki/certificate/certificate.ts';
import { createCrlSet } from '../../src/pki/revocation/crl-set.ts';
import { type RequestParts, request } from '../support/attributes.ts';
import { now } from '../support/certificate-authority.ts';
import { load, outcome } from '../support/enforcer.ts';
import { ca, certify, type Entity, entity, keyUsage } from './pki/forge.ts';
import { crl } from './pki/revocation/crl-forge.ts';
import { withSecondKey } from './pki/second-key.ts';

/** Who is refused for being revoked, from config.toml to the decision. */

const pem = ({ der }: Certificate): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;
const [root, policy, issuing] = [entity('Root'), entity('Policy CA'), entity('Issuing CA')];
const [rootCa, policyCa] = [certify(root, root, [ca()]), certify(root, policy, [ca()])];
const issuingCa = certify(policy, issuing, [ca()]);
const leaf = certify(issuing, entity('leaf'));
const balancers = entity('LB CA');
const lbCa = certify(balancers, balancers, [ca()]);
const lb = certify(balancers, entity('lb'));
/** A load balancer that the clients' own CA certified. */
const edge = certify(issuing, entity('edge'));
const files = {
  'root.pem': pem(rootCa),
  'policy.pem': pem(policyCa),
  'issuing.pem': pem(issuingCa),
  'leaf.pem': pem(leaf),
  'lb-ca.pem': pem(lbCa),
  'lb.pem': pem(lb),
  'edge.pem': pem(edge),
};
const clean = [crl(root), crl(policy), crl(issuing)];
const listed = [crl(root), crl(policy), crl(issuing, { revoked: [leaf.serialNumber] })];

const trusting = (what: string): string => `[router.downstream.tls]\n${what}\n`;
const rooted = trusting('trustedCertPath = "root.pem"\nintermediatesPath = "issuing.pem"');
const url = 'crlUrls = ["http://ca.test/ca.crl"]';
const general = `[enforcer.security.revocation]\n${url}\n`;
const own = (file: string, lines: string): string =>
  `[[enforcer.security.revocation.cas]]\ncaFile = "${file}.pem"\n${lines}\n`;
const client = (lines: string): string => `[[clients]]\nalias = "acme"\n${lines}\n`;
const api = '[[apis]]\nname = "a"\nversion = "1"\nbasePath = "/a"\naliases = ["acme"]\n';
const ofRoot = client('caFile = "policy.pem"');

/** One API of a foreign file, and the certificates of clients, or of their CAs, that it names. */
type Api = readonly [path: string, certificates: readonly Certificate[]];
const published = (...apis: readonly Api[]): string =>
  apis
    .map(
      ([path, certificates]) =>
        `- name: P${path.slice(1)}\n  version: v1.0\n  basePath: ${path}\n  policies:\n${certificates
          .map(
            (one) =>
              `    - policy: MTLS Authenticator\n      Certificate Content: ${encodeURIComponent(pem(one))}\n`,
          )
          .join('')}`,
    )
    .join('');
const definitions = (...paths: readonly string[]): string =>
  paths.map((path) => `[[definitions]]\nkind = "bijira"\npath = "${path}"\n`).join('');
/** Its key fits the signature of that issuer: whoever sees the certificate can reckon one. */
const fake = (certificate: Certificate, issuer: Entity): Certificate =>
  certify(entity('Nobody'), withSecondKey(certificate, issuer), [ca(), keyUsage('06')]);

const snapshotOf = (toml: string, crls: typeof clean) =>
  load(toml, files, now, { revocationKnowledge: { version: 1, crls: createCrlSet(crls) } }).snapshot;

describe('what a CA has of its own', () => {
  const [yes, no] = ['certificate_revoked', 'revocation_unknown'];
  const rows: readonly (readonly [what: string, toml: string, listed: string, nothingKnown: string])[] = [
    ['goes for what is two levels below it', rooted + own('policy', url) + ofRoot, yes, no],
    [
      'the same beside its caFile',
      rooted + client(`caFile = "policy.pem"\nrevocation = { mode = "hard-fail", ${url} }`),
      yes,
      no,
    ],
    [
      'the same, and off goes for all below it',
      rooted + general + own('policy', 'mode = "off"') + ofRoot,
      'acme',
      'acme',
    ],
    [
      'of several the nearest counts: one that looks, below one that does not',
      rooted + own('root', 'mode = "off"') + own('policy', url) + ofRoot,
      yes,
      no,
    ],
    [
      'of several the nearest counts: one that does not look, below one that does',
      rooted + own('policy', url) + own('issuing', 'mode = "off"') + ofRoot,
      'acme',
      'acme',
    ],
    [
      'goes for a file that a CA below it issued',
      trusting('intermediatesPath = "issuing.pem"') + own('policy', url) + client('file = "leaf.pem"'),
      yes,
      no,
    ],
    [
      'goes for what a CA below it issued that is trusted by itself',
      own('policy', url) + client('caFile = "issuing.pem"'),
      yes,
      no,
    ],
    [
      'takes nothing away from a CA below it that is trusted by itself',
      general + own('policy', 'mode = "off"') + client('caFile = "issuing.pem"'),
      yes,
      no,
    ],
  ];
  for (const [what, toml, whenListed, whenNothingKnown] of rows)
    it(what, async () => {
      const ask = (crls: typeof clean) =>
        outcome({ path: '/a', certificate: encodeURIComponent(pem(leaf)) }, snapshotOf(toml + api, crls));
      assert.equal(await ask(clean), 'acme', 'on no list');
      assert.equal(await ask(listed), whenListed, 'on a list');
      assert.equal(
        await ask([crl(root), crl(policy)]),
        whenNothingKnown,
        'nothing known of what its CA revoked',
      );
    });
});

describe('a load balancer that is known by its certificate', () => {
  const by = (sender: string, more = ''): string =>
    `[enforcer.security.mutualSSL]\n${more}
[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\n${sender}\n
[[enforcer.security.mutualSSL.sources]]\nformat = "percent-pem"\ntrustedSenders = ["alias:lb"]\n`;
  const peer = '[[enforcer.security.mutualSSL.sources]]\nformat = "peer"\n';
  const caFile = by('caFile = "lb-ca.pem"');
  const clients = client('caFile = "issuing.pem"') + api;
  const lists = (...revoked: readonly Certificate[]) => [
    crl(issuing, { revoked: revoked.map(({ serialNumber }) => serialNumber) }),
    crl(balancers, { revoked: revoked.map(({ serialNumber }) => serialNumber) }),
  ];
  const untrusted = 'header_sender_untrusted';
  const soft = `${general}mode = "soft-fail"\n`;
  const rows: readonly (readonly [
    what: string,
    toml: string,
    from: Certificate,
    crls: typeof clean,
    expected: string,
  ])[] = [
    ['passes on certificates while it is on no list', general + caFile, lb, lists(), 'acme'],
    ['passes on none once it is revoked', general + caFile, lb, lists(lb), untrusted],
    ['nor with soft-fail', soft + caFile, lb, lists(lb), untrusted],
    ['nor where its CA alone is looked at', caFile + own('lb-ca', url), lb, lists(lb), untrusted],
    ['nor one by its file', general + by('file = "edge.pem"'), edge, lists(edge), untrusted],
    [
      'nor one by its file, and senderCaPath',
      general + by('file = "lb.pem"', 'senderCaPath = "lb-ca.pem"'),
      lb,
      lists(lb),
      untrusted,
    ],
    [
      'nor is it a client, where those come over TLS as well',
      general + caFile + peer,
      lb,
      lists(lb),
      untrusted,
    ],
    [
      'nor where as a client nobody would ask',
      rooted + general + own('root', 'mode = "off"') + by('file = "edge.pem"') + peer,
      edge,
      [crl(root)],
      untrusted,
    ],
    ['passes on none with hard-fail while nothing is known', general + caFile, lb, [crl(issuing)], untrusted],
    ['passes them on with soft-fail', soft + caFile, lb, [crl(issuing)], 'acme'],
    [
      'passes them on where its CA is not looked at',
      general + caFile + own('lb-ca', 'mode = "off"'),
      lb,
      [crl(issuing)],
      'acme',
    ],
    [
      'passes them on by a file whose CA nobody knows',
      general + by('file = "lb.pem"'),
      lb,
      [crl(issuing)],
      'acme',
    ],
  ];
  for (const [what, toml, from, crls, expected] of rows)
    it(what, async () => {
      const parts = {
        path: '/a',
        certificate: encodeURIComponent(pem(from)),
        headers: [['x-wso2-client-certificate', encodeURIComponent(pem(leaf))] as const],
      };
      assert.equal(await outcome(parts, snapshotOf(toml + clients, crls)), expected);
    });

  it('is told in the log why it is none', async () => {
    const certificate = encodeURIComponent(pem(lb));
    const headers = [['x-wso2-client-certificate', encodeURIComponent(pem(leaf))] as const];
    const snapshot = snapshotOf(general + caFile + clients, lists(lb));
    const decision = await decide(request({ path: '/a', certificate, headers }), snapshot, now);
    assert.match(
      decision.outcome === 'deny' ? decision.detail : '',
      /the certificate of a sender, refused: certificate_revoked \(.*CN=lb.* was revoked on /,
    );
  });

  it('is asked about ahead, where its certificate is a file', () => {
    const { revocation } = load(
      general + by('file = "lb.pem"', 'senderCaPath = "lb-ca.pem"') + clients,
      files,
    );
    const names = [...revocation!.ahead].map(({ certificate }) => certificate.sha256);
    assert.deepEqual(names, [lb.sha256]);
  });
});

describe('a client by its file, whose CA has lists of another key', () => {
  const [signer, newKey, stranger] = [entity('Issuing CA'), entity('Issuing CA'), entity('Issuing CA')];
  const known = {
    ...files,
    'cas.pem': [
      issuingCa,
      certify(issuing, signer, [ca()]),
      certify(policy, newKey, [ca()]),
      certify(stranger, stranger, [ca()]),
    ]
      .map(pem)
      .join(''),
    'policy-and-cas.pem': '',
  };
  known['policy-and-cas.pem'] = known['policy.pem'] + known['cas.pem'];
  const [yes, no] = ['certificate_revoked', 'acme'];
  const rows: readonly (readonly [
    what: string,
    bundle: string,
    by: typeof signer,
    listed: string,
    not: string,
  ])[] = [
    ['its CRL signer', 'cas.pem', signer, yes, no],
    ['its new key, where the CA above is known', 'policy-and-cas.pem', newKey, yes, no],
    ['its new key, where it is not', 'cas.pem', newKey, 'revocation_unknown', 'revocation_unknown'],
    ['another CA of its name', 'policy-and-cas.pem', stranger, 'revocation_unknown', 'revocation_unknown'],
  ];
  for (const [what, bundle, by, listed, not] of rows)
    it(`${what}: ${listed}, or ${not} where it is on none`, async () => {
      const toml = `${trusting(`intermediatesPath = "${bundle}"`)}${general}check = "leaf"\n`;
      for (const [revoked, expected] of [
        [[leaf.serialNumber], listed],
        [[], not],
      ] as const) {
        const crls = createCrlSet([crl(by, { revoked })]);
        const { snapshot } = load(toml + client('file = "leaf.pem"') + api, known, now, {
          revocationKnowledge: { version: 1, crls },
        });
        const parts = { path: '/a', certificate: encodeURIComponent(pem(leaf)) };
        assert.equal(await outcome(parts, snapshot), expected);
      }
    });

  it('and not one who reckoned a key of that name from its signature, and certified it', async () => {
    const attacker = entity('Policy CA');
    const cas = [
      certify(attacker, withSecondKey(leaf, issuing), [ca(), keyUsage('06')]),
      certify(entity('Above'), attacker, [ca(), keyUsage('06')]),
      certify(attacker, stranger, [ca(), keyUsage('06')]),
    ];
    const { snapshot, revocation } = load(
      `${general}check = "leaf"\n${definitions('p.yaml')}${client('caFile = "lb-ca.pem"')}${api}`,
      { ...files, 'p.yaml': published(['/p', [leaf]], ...cas.map((one, i) => [`/p${i}`, [one]] as const)) },
      now,
      { revocationKnowledge: { version: 1, crls: createCrlSet([crl(stranger)]) } },
    );
    assert.equal(new Set(revocation!.signers).size, 4);
    assert.ok(snapshot.revocation!.issuerOf!(leaf, 1) !== undefined, 'the key fits');
    const parts = { path: '/p', certificate: encodeURIComponent(pem(leaf)) };
    assert.equal(await outcome(parts, snapshot), 'revocation_unknown');
  });
});

describe('beside foreign files', () => {
  const named = certify(policy, issuing, [ca(), keyUsage('06')]);
  const sender = `[enforcer.security.mutualSSL]\nsenderCaPath = "root.pem"
[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\ncaFile = "named.pem"\n`;
  const balancer = `[[enforcer.security.mutualSSL.senders]]\nalias = "lb"\nfile = "edge.pem"
[[enforcer.security.mutualSSL.sources]]\nformat = "percent-pem"\ntrustedSenders = ["alias:lb"]\n`;
  const own = client('file = "leaf.pem"');
  const policyOnly = `[[enforcer.security.revocation.cas]]\ncaFile = "root.pem"\n${url}\n`;
  const above = certify(root, policy, [ca(), keyUsage('06')]);
  const revoked = [crl(issuing, { revoked: [leaf.serialNumber] })];
  type Row = readonly [
    what: string,
    toml: string,
    published: readonly (readonly Api[])[],
    crls: typeof clean,
    expected: string,
    path?: string,
  ];
  const rows: readonly Row[] = [
    [
      'a client by its file is one still when one of them names its CA',
      general + own,
      [[['/p', [named]]]],
      [],
      'acme',
    ],
    ['and when one names that client, too', general + own, [[['/p', [leaf, named]]]], [], 'acme'],
    [
      'below a caFile config.toml’s word goes for what is above it, not theirs',
      policyOnly + client('caFile = "issuing.pem"'),
      [[['/p', [above]]]],
      [],
      'acme',
    ],
    [
      'it is revoked by the CA of a sender, though one of them names that CA',
      general + sender + own,
      [[['/p', [named]]]],
      revoked,
      'certificate_revoked',
    ],
    [
      'a client of their own is revoked by the CA beside it',
      general,
      [[['/p', [leaf, named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'by that of another API',
      general,
      [
        [
          ['/p', [leaf]],
          ['/q', [named]],
        ],
      ],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'by that of another file',
      general,
      [[['/p', [leaf]]], [['/q', [named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'and by the CA beside it whatever others call so',
      general,
      [
        [
          ['/q', [fake(leaf, issuing)]],
          ['/p', [leaf, named]],
        ],
      ],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'also where config.toml has that client, whose CA it does not know',
      general + own,
      [[['/p', [leaf, named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    ['which it is there', general + own, [[['/p', [leaf, named]]]], revoked, 'acme'],
    [
      'or as one that is switched off',
      `${general}${client('file = "leaf.pem"\ndisabled = true')}`,
      [[['/p', [leaf, named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'or by its fingerprint',
      general + client(`fingerprints = ["${leaf.sha256}"]`),
      [[['/p', [leaf, named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'and whoever else has that client, beside a CA whose key was reckoned',
      `${general}mode = "soft-fail"\n`,
      [[['/q', [leaf, fake(leaf, issuing)]]], [['/p', [leaf, named]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'who does not keep it out of where its CA is known either',
      general,
      [[['/q', [leaf, fake(leaf, issuing)]]], [['/p', [named]]]],
      clean,
      'mtls-authenticator',
      '/p',
    ],
    [
      'nor hides what is above that CA by one whose key was reckoned',
      policyOnly,
      [[['/q', [named, fake(named, policy)]]], [['/p', [named, above]]]],
      revoked,
      'certificate_revoked',
      '/p',
    ],
    [
      'or by its key that was certified anew',
      policyOnly,
      [
        [['/q', [named, certify(entity('Nobody'), policy, [ca(), keyUsage('06')])]]],
        [['/p', [named, above]]],
      ],
      revoked,
      'certificate_revoked',
      '/p',
    ],
  ];
  const ask = async (
    toml: string,
    texts: readonly (readonly Api[])[],
    crls: typeof clean,
    parts: RequestParts,
  ) => {
    const names = texts.map((_, i) => `p${i}.yaml`);
    const foreign = Object.fromEntries(texts.map((apis, i) => [names[i]!, published(...apis)]));
    const used = toml.includes('[[clients]]') ? api : '';
    const { snapshot } = load(
      toml + definitions(...names) + used,
      { ...files, 'named.pem': pem(named), ...foreign },
      now,
      {
        revocationKnowledge: { version: 1, crls: createCrlSet(crls) },
      },
    );
    return outcome(parts, snapshot);
  };
  for (const [what, toml, texts, crls, expected, path = '/a'] of rows)
    it(what, async () => {
      const certificate = encodeURIComponent(pem(leaf));
      assert.equal(await ask(toml, texts, crls, { path, certificate }), expected);
    });

  it('a load balancer by its file is a sender still when one of them names its CA', async () => {
    const parts = {
      path: '/a',
      certificate: encodeURIComponent(pem(edge)),
      headers: [['x-wso2-client-certificate', encodeURIComponent(pem(lb))] as const],
    };
    const toml = general + balancer + client('file = "lb.pem"');
    assert.equal(await ask(toml, [[['/p', [named]]]], [], parts), 'acme');
  });
});

it('is judged by config.toml’s own CA, whatever a foreign file calls so: a key that fits a signature can be reckoned', async () => {
  const publisher = published(['/p', [fake(lb, balancers)]]);
  for (const [known, mode] of [
    [trusting('intermediatesPath = "lb-ca.pem"') + general, 'soft-fail'],
    [`${general}${own('lb-ca', 'mode = "hard-fail"')}`, 'hard-fail'],
  ] as const) {
    const toml = `${known.replace(general, `${general}mode = "${mode}"\n`)}${definitions('p.yaml')}`;
    const { snapshot } = load(
      toml + client('file = "lb.pem"') + api,
      { ...files, 'p.yaml': publisher },
      now,
      {
        revocationKnowledge: {
          version: 1,
          crls: createCrlSet([crl(balancers, { revoked: [lb.serialNumber] })]),
        },
      },
    );
    assert.equal(snapshot.apis.apis.length, 2);
    assert.equal(
      await outcome({ path: '/a', certificate: encodeURIComponent(pem(lb)) }, snapshot),
      'certificate_revoked',
      mode,
    );
  }
});

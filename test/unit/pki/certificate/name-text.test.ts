import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  attributeKey,
  attributesOf,
  formatName,
  type Name,
  readName,
} from '../../../../src/pki/certificate/name.ts';
import { attributeName, attributeOid } from '../../../../src/pki/certificate/name-attributes.ts';
import {
  keysOf,
  parseAttribute,
  parseNameText,
  type Rdns,
} from '../../../../src/pki/certificate/name-text.ts';
import { readWhole } from '../../../../src/pki/der/der.ts';
import { der, oid, printable, sequence, set, utf8 } from '../der-writer.ts';
import { forgeDer } from '../forge.ts';

type Written = readonly (readonly (readonly [type: string, value: string])[])[];
const read = (text: string): Written | string => {
  const name = parseNameText(text);
  return name.ok
    ? written(name.readings, text).map((rdn) =>
        rdn.map(({ type, value }) => [
          attributeName(type) ?? type,
          typeof value === 'string' ? value : Buffer.from(value).toString('hex'),
        ]),
      )
    : name.problem;
};

/** In the order of the text. */
function written([first, second]: readonly Rdns[], text: string): Rdns {
  return second ?? (text.startsWith('/') ? first! : first!.toReversed());
}

const acmeInc: Written = [[['CN', 'acme']], [['O', 'Acme Inc']]];
const names: readonly [text: string, name: Written][] = [
  ['CN=acme,O=Acme Inc', acmeInc],
  [' cn = acme , O = Acme Inc ', acmeInc],
  ['CN=acme;O=Acme Inc', acmeInc],
  ['CN=acme\nO=Acme Inc\n', acmeInc],
  ['commonName=acme,OID.2.5.4.10=Acme Inc', acmeInc],
  ['2.5.4.3=#0c0461636d65,2.5.4.10=#130841636D6520496E63', acmeInc],
  ['subject=CN = acme, O = Acme Inc', acmeInc],
  ['CN="acme",O="Acme Inc"', acmeInc],
  ['/CN=acme/O=Acme Inc', acmeInc],
  ['CN=a\\,b', [[['CN', 'a,b']]]],
  ['CN="a, \\"b\\" ""c"""', [[['CN', 'a, "b" "c"']]]],
  ['CN=Zo\\C3\\AB', [[['CN', 'Zoë']]]],
  ['/CN=Zo\\xC3\\xAB', [[['CN', 'Zoë']]]],
  ['CN=Zoë', [[['CN', 'Zoë']]]],
  ['CN=a\\ ', [[['CN', 'a ']]]],
  ['CN=a=b', [[['CN', 'a=b']]]],
  [
    'CN=a+OU=b',
    [
      [
        ['CN', 'a'],
        ['OU', 'b'],
      ],
    ],
  ],
  [
    '/CN=a+OU=b c++=d/O=http://x/y',
    [
      [
        ['CN', 'a'],
        ['OU', 'b c++=d'],
      ],
      [['O', 'http://x/y']],
    ],
  ],
  ['CN=', [[['CN', '']]]],
  ['CN=#03020780', [[['CN', '03020780']]]],
];
for (const [text, name] of names) {
  test(`${JSON.stringify(text)} is a name`, () => assert.deepEqual(read(text), name));
}

const broken: readonly [text: string, why: RegExp][] = [
  ['', /write a name as RFC 4514 has it/],
  ['acme', /write a name as RFC 4514 has it/],
  ['CN=a,', /write a name as RFC 4514 has it/],
  ['CN=a,,O=b', /write a name as RFC 4514 has it/],
  ['CN=a\\', /write a name as RFC 4514 has it/],
  ['CN="a', /write a name as RFC 4514 has it/],
  ['CN="a"b', /write a name as RFC 4514 has it/],
  ['O=Acme, Inc.', /with a comma inside a value as "\\,"/],
  ['/acme', /write a name as RFC 4514 has it/],
  ['CNN=acme', /^"CNN" is no attribute that is known; there are CN, .*businessCategory/],
  ['/CNN=acme', /^"CNN" is no/],
  ['/CN=a/path=b', /^"path" is no/],
  ['2.05.4=a', /^"2.05.4" is no/],
  ['CN=\\FF', /escaped bytes are no UTF-8/],
  ['CN=#zz', /write "\\#" for a "#" that/],
  ['CN=#0c05', /write "\\#" for a "#" that/],
];
for (const [text, why] of broken) {
  test(`${JSON.stringify(text)} is no name`, () => assert.match(String(read(text)), why));
}

/** As the certificate of an Open Finance Brasil client has it, widest part first. */
const openFinance = nameOf([
  ['2.5.4.6', printable('BR')],
  ['2.5.4.10', utf8('Banco "Acme", S.A.')],
  ['2.5.4.97', utf8('OFBBR-d7384bd0')],
  ['1.3.6.1.4.1.311.60.2.1.3', printable('BR')],
  ['2.5.4.15', utf8('Private Organization')],
  ['2.5.4.5', printable('13353236000189')],
  ['1.2.840.113549.1.9.1', der(0x16, Buffer.from('it@acme.example'))],
  ['2.5.4.3', utf8('São Paulo')],
]);
const spellings: readonly [who: string, text: string][] = [
  ['ours', formatName(openFinance)],
  [
    'openssl -nameopt RFC2253, nginx',
    'CN=S\\C3\\A3o Paulo,emailAddress=it@acme.example,serialNumber=13353236000189,businessCategory=Private Organization,jurisdictionC=BR,organizationIdentifier=OFBBR-d7384bd0,O=Banco \\"Acme\\"\\, S.A.,C=BR',
  ],
  [
    'openssl -nameopt oneline',
    'C = BR, O = "Banco \\"Acme\\", S.A.", organizationIdentifier = OFBBR-d7384bd0, jurisdictionC = BR, businessCategory = Private Organization, serialNumber = 13353236000189, emailAddress = it@acme.example, CN = S\\C3\\A3o Paulo',
  ],
  [
    'openssl 3.2 and newer by default',
    'subject=C=BR, O="Banco \\"Acme\\", S.A.", organizationIdentifier=OFBBR-d7384bd0, jurisdictionC=BR, businessCategory=Private Organization, serialNumber=13353236000189, emailAddress=it@acme.example, CN=São Paulo',
  ],
  [
    'openssl -nameopt compat, X509_NAME_oneline',
    '/C=BR/O=Banco "Acme", S.A./organizationIdentifier=OFBBR-d7384bd0/jurisdictionC=BR/businessCategory=Private Organization/serialNumber=13353236000189/emailAddress=it@acme.example/CN=S\\xC3\\xA3o Paulo',
  ],
  [
    'openssl -nameopt multiline',
    'countryName               = BR\norganizationName          = "Banco \\"Acme\\", S.A."\norganizationIdentifier    = OFBBR-d7384bd0\njurisdictionCountryName   = BR\nbusinessCategory          = Private Organization\nserialNumber              = 13353236000189\nemailAddress              = it@acme.example\ncommonName                = São Paulo',
  ],
  [
    'Java, X500Principal.getName()',
    'CN=São Paulo,1.2.840.113549.1.9.1=#160f69744061636d652e6578616d706c65,2.5.4.5=#130e3133333533323336303030313839,2.5.4.15=#0c1450726976617465204f7267616e697a6174696f6e,1.3.6.1.4.1.311.60.2.1.3=#13024252,2.5.4.97=#0c0e4f464242522d6437333834626430,O=Banco \\"Acme\\"\\, S.A.,C=BR',
  ],
  [
    'Java, X500Principal.toString()',
    'CN=São Paulo, EMAILADDRESS=it@acme.example, SERIALNUMBER=13353236000189, OID.2.5.4.15=Private Organization, OID.1.3.6.1.4.1.311.60.2.1.3=BR, OID.2.5.4.97=OFBBR-d7384bd0, O="Banco \\"Acme\\", S.A.", C=BR',
  ],
  [
    '.NET and Windows',
    'CN=São Paulo, E=it@acme.example, SERIALNUMBER=13353236000189, OID.2.5.4.15=Private Organization, OID.1.3.6.1.4.1.311.60.2.1.3=BR, OID.2.5.4.97=OFBBR-d7384bd0, O="Banco ""Acme"", S.A.", C=BR',
  ],
  [
    "Python's cryptography",
    'CN=São Paulo,1.2.840.113549.1.9.1=it@acme.example,2.5.4.5=13353236000189,2.5.4.15=Private Organization,1.3.6.1.4.1.311.60.2.1.3=BR,2.5.4.97=OFBBR-d7384bd0,O=Banco \\"Acme\\"\\, S.A.,C=BR',
  ],
  [
    'Go',
    'CN=São Paulo,1.2.840.113549.1.9.1=#160F69744061636D652E6578616D706C65,SERIALNUMBER=13353236000189,2.5.4.15=#0c1450726976617465204f7267616e697a6174696f6e,1.3.6.1.4.1.311.60.2.1.3=#13024252,2.5.4.97=#0c0e4f464242522d6437333834626430,O=Banco \\"Acme\\"\\, S.A.,C=BR',
  ],
  [
    "the schemes' own documents",
    'cn=são paulo,emailaddress=IT@ACME.EXAMPLE,serialnumber=13353236000189,BUSINESSCATEGORY=private  organization,jurisdictionCountryName=br,ORGANIZATIONIDENTIFIER=ofbbr-D7384BD0,o=banco \\22acme\\22\\2c s.a.,c=br',
  ],
];
for (const [who, text] of spellings) {
  test(`the same name as written by ${who}`, () =>
    assert.ok(isWritten(openFinance, text), String(read(text))));
}

const others: readonly [why: string, text: string][] = [
  ['RFC 4514 has the last RDN first', formatName({ ...openFinance, rdns: openFinance.rdns.toReversed() })],
  ['one value differs', formatName(openFinance).replace('13353236000189', '13353236000180')],
  ['a part is missing', formatName(openFinance).replace(/^CN=[^,]*,/, '')],
  ['two RDNs are not one', formatName(openFinance).replace(',C=BR', '+C=BR')],
];
for (const [why, text] of others) {
  test(`another name: ${why}`, () => {
    assert.ok(parseNameText(text).ok);
    assert.equal(isWritten(openFinance, text), false);
  });
}

test('the order within an RDN does not count', () => {
  const name = readName(
    readWhole(
      sequence(set(sequence(oid('2.5.4.3'), utf8('a')), sequence(oid('2.5.4.5'), utf8('1')))),
      0x30,
      'Name',
    ),
  );
  for (const text of ['CN=a+serialNumber=1', 'serialNumber=1+CN=a']) assert.ok(isWritten(name, text), text);
});

test('an attribute of a table: by any name, its value as text or as its encoding', () => {
  const key = (name: string, value: string): string => {
    const attribute = parseAttribute(name, value);
    return attribute.ok ? attributeKey(attribute.attribute) : attribute.problem;
  };
  for (const [name, value] of [
    ['2.5.4.97', 'PSDES-X'],
    ['OID.2.5.4.97', '#0c0750534445532d58'],
    ['ORGANIZATIONIDENTIFIER', 'psdes-x'],
  ] as const)
    assert.equal(key(name, value), key('organizationIdentifier', 'PSDES-X'));
  assert.notEqual(key('organizationIdentifier', '#1'), key('organizationIdentifier', '1'));
  assert.match(key('CNN', 'x'), /^"CNN" is no attribute that is known/);
});

const anyType = fc.constantFrom('2.5.4.3', '2.5.4.15', '2.5.4.97', '1.2.840.113549.1.9.1', '1.2.3.4');
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom(...' ",+;<>=#\\/\n\r\0aé\u202e𝟙') }),
);
const anyRdns = fc.array(fc.array(fc.tuple(anyType, anyText), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 4,
});

test('whatever a name is, its text is read back as it was written', () => {
  fc.assert(
    fc.property(anyRdns, (rdns) => {
      const name = rdnsOf(rdns.map((rdn) => rdn.map(([type, text]) => [type, utf8(text)] as const)));
      const written = parseNameText(formatName(name));
      assert.ok(written.ok, formatName(name));
      assert.deepEqual([...keysOf(written)], [name.key]);
      assert.deepEqual(written.readings, [name.rdns.map(attributesOf)]);
    }),
    { numRuns: 2_000 },
  );
});

test('two names have one text only where they are the same', () => {
  fc.assert(
    fc.property(anyRdns, anyRdns, (a, b) => {
      const [one, other] = [a, b].map((rdns) =>
        rdnsOf(rdns.map((rdn) => rdn.map(([type, text]) => [type, utf8(text)] as const))),
      ) as [Name, Name];
      if (formatName(one) === formatName(other)) assert.equal(one.key, other.key);
    }),
    { numRuns: 2_000 },
  );
});

test('no two attributes share a name', () => {
  for (const [type, name] of [
    ['2.5.4.8', 'S'],
    ['1.2.840.113549.1.9.1', 'E'],
    ['2.5.4.12', 'T'],
    ['2.5.4.42', 'G'],
    ['1.3.6.1.4.1.311.60.2.1.1', 'jurisdictionOfIncorporationLocalityName'],
    ['1.3.6.1.4.1.311.60.2.1.2', 'jurisdictionST'],
    ['2.5.4.17', 'postalCode'],
  ] as const)
    assert.equal(attributeOid(name), type);
  assert.equal(attributeOid('uniqueIdentifier'), undefined);
});

test('a name is the attribute that OpenSSL has it for', () => {
  const arc = (prefix: string, last: number): string[] =>
    Array.from({ length: last }, (_, i) => `${prefix}.${i + 1}`);
  const types = [
    ...arc('2.5.4', 110),
    ...arc('0.9.2342.19200300.100.1', 60),
    ...arc('1.2.840.113549.1.9', 8),
    ...arc('1.3.6.1.4.1.311.60.2.1', 3),
    ...['1.2.643.3.131.1.1', '1.2.643.100.1', '1.2.643.100.3'],
  ];
  let known = 0;
  for (const type of types) {
    const subject = sequence(set(sequence(oid(type), utf8('x'))));
    const [name] = new X509Certificate(forgeDer({ subject })).subject.split('=');
    // It writes an OID where it knows no name.
    if (name === type) continue;
    // `uid` is what it calls a uniqueIdentifier, beside `UID`; Bouncy Castle has the longer one for an X.500 identifier.
    if (type === '0.9.2342.19200300.100.1.44') continue;
    const ours = attributeOid(name!);
    assert.ok(ours === undefined || ours === type, `${name} of ${type} is ${ours} here`);
    if (ours === type) known++;
  }
  assert.ok(known > 60, `${known}`);
});

function isWritten(name: Name, text: string): boolean {
  const written = parseNameText(text);
  return written.ok && keysOf(written).has(name.key);
}

function nameOf(attributes: readonly (readonly [type: string, value: Uint8Array])[]): Name {
  return rdnsOf(attributes.map((attribute) => [attribute]));
}

function rdnsOf(rdns: readonly (readonly (readonly [type: string, value: Uint8Array])[])[]): Name {
  const encoded = rdns.map((rdn) => set(...rdn.map(([type, value]) => sequence(oid(type), value))));
  return readName(readWhole(sequence(...encoded), 0x30, 'Name'));
}

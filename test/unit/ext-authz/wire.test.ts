import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Attributes, type Header, isIn, unusualNames, valuesIn } from '../../../src/attributes.ts';
import { readCheckRequest } from '../../../src/ext-authz/check-request.ts';
import type { CheckResponse } from '../../../src/ext-authz/check-response.ts';
import { encodeCheckResponse } from '../../../src/ext-authz/encode.ts';
import { attributesOf, codec, type Decoded, isOdd } from '../../support/plain-codec.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: all that is ASCII
const isAscii = (name: string): boolean => /^[\x00-\x7f]*$/.test(name);

/** What is looked up is what is listed. */
function checkLookups({ http, contextExtensions }: Attributes): void {
  const listed = [...http.headers];
  const names = listed.map(([name]) => name);
  assert.deepEqual(new Set(unusualNames(http.headers)), new Set(unusualNames(listed)));
  for (const name of [...names.filter(isAscii), 'x-absent']) {
    assert.deepEqual(valuesIn(http.headers, name), valuesIn(listed, name));
    assert.equal(isIn(http.headers, name), names.includes(name));
  }
  const entries = new Map(contextExtensions);
  for (const key of [...entries.keys(), 'absent']) {
    assert.equal(contextExtensions.get(key), entries.get(key));
    assert.equal(contextExtensions.has(key), entries.has(key));
  }
}

/** Headers of a map, and context extensions, have no order. */
const comparable = (attributes: Attributes | undefined) =>
  attributes && {
    ...attributes,
    http: {
      ...attributes.http,
      headers: attributes.http.headersAreRaw
        ? [...attributes.http.headers]
        : [...attributes.http.headers].map((pair) => JSON.stringify(pair)).sort(),
    },
    contextExtensions: [...attributes.contextExtensions].map((pair) => JSON.stringify(pair)).sort(),
  };

const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 12 }));
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
/** proto-loader writes a null where there is undefined. */
const written = (value: unknown): object => JSON.parse(JSON.stringify(value), revive) as object;
const revive = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'type' in value && 'data' in value
    ? Buffer.from(value.data as number[])
    : value;
// A key `__proto__` is lost by proto-loader's own options.
const key = text.filter((name) => name !== '__proto__');
const request = fc.record({
  attributes: maybe(
    fc.record({
      source: maybe(
        fc.record({
          address: maybe(
            fc.record({ socket_address: maybe(fc.record({ address: text, port_value: fc.nat() })) }),
          ),
          certificate: maybe(text),
        }),
      ),
      request: maybe(
        fc.record({
          http: maybe(
            fc.record({
              method: maybe(text),
              path: maybe(text),
              host: maybe(text),
              scheme: maybe(text),
              protocol: maybe(text),
              headers: maybe(fc.dictionary(key, text, { maxKeys: 5 })),
              header_map: maybe(
                fc.record({
                  headers: fc.array(
                    fc.record({
                      key: text,
                      value: maybe(text),
                      raw_value: maybe(fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes))),
                    }),
                    { maxLength: 5 },
                  ),
                }),
              ),
            }),
          ),
        }),
      ),
      context_extensions: maybe(fc.dictionary(key, text, { maxKeys: 4 })),
    }),
  ),
});

test('any CheckRequest is read as proto-loader reads it', () => {
  fc.assert(
    fc.property(request, (value) => {
      const bytes = codec.requestSerialize(written(value));
      assert.deepEqual(
        comparable(readCheckRequest(bytes)),
        comparable(attributesOf(codec.requestDeserialize(bytes))),
      );
      checkLookups(readCheckRequest(bytes)!);
    }),
    { numRuns: 1000 },
  );
});

test('mutated bytes are refused by both, or read alike, or are of the kinds that proto-loader reads otherwise', () => {
  let compared = 0;
  fc.assert(
    fc.property(
      request,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      fc.nat(),
      (value, changes, cut) => {
        const bytes = Buffer.from(codec.requestSerialize(written(value)));
        for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const mutated = cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
        const ours = readCheckRequest(mutated);
        // Nothing is made up: what is refused here may be taken there (a text cut at the end of the message).
        if (ours === undefined) return;
        checkLookups(ours);
        let theirs: Decoded;
        try {
          theirs = codec.requestDeserialize(mutated);
        } catch {
          // It reads a known field whatever its wire type says, and trips; protobuf skips it as unknown.
          return;
        }
        if (isOdd(mutated)) return;
        compared++;
        assert.deepEqual(comparable(ours), comparable(attributesOf(theirs)));
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(compared > 300, `${compared} were compared`);
});

// Protobuf by hand.
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
const field = (number: number, content: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([Buffer.from(varint((number << 3) | 2)), Buffer.from(varint(bytes.length)), bytes]);
};
const inHttp = (...fields: Buffer[]): Buffer =>
  field(1, field(4, field(2, Buffer.concat([field(4, '/path'), ...fields]))));
const group = (number: number, ...content: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(varint((number << 3) | 3)), ...content, Buffer.from(varint((number << 3) | 4))]);
const nested = (depth: number): Buffer => {
  let all: Buffer = Buffer.alloc(0);
  for (let i = 0; i < depth; i++) all = group(99, all);
  return all;
};

const paths: readonly [string, Buffer, string | undefined][] = [
  ['a field that comes twice counts as it comes last', inHttp(field(4, '/other')), '/other'],
  [
    'a message that comes twice is merged',
    Buffer.concat([inHttp(), field(1, field(4, field(2, field(2, 'GET'))))]),
    '/path',
  ],
  ['a known field as a number is an unknown one', inHttp(Buffer.of(4 << 3, 7)), '/path'],
  ['a known field of four bytes is an unknown one', inHttp(Buffer.of((4 << 3) | 5, 1, 2, 3, 4)), '/path'],
  [
    'a known field of eight bytes is an unknown one',
    inHttp(Buffer.of((4 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8)),
    '/path',
  ],
  ['a known field as a group is an unknown one', inHttp(group(4, field(1, 'a'))), '/path'],
  [
    'an unknown number of ten bytes',
    inHttp(Buffer.of(0x98, 0x06, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)),
    '/path',
  ],
  ['a tag that takes more bytes than it needs', inHttp(Buffer.of(0xa2, 0x80, 0x00, 1, 97)), 'a'],
  ['groups, 99 deep', inHttp(nested(99)), '/path'],
  ['groups, 101 deep', inHttp(nested(101)), undefined],
  ['a million bytes of the beginnings of groups', inHttp(Buffer.alloc(1_000_000, (1 << 3) | 3)), undefined],
  ['the end of no group', inHttp(Buffer.of((9 << 3) | 4)), undefined],
  ['the end of another group', inHttp(Buffer.of((9 << 3) | 3, (8 << 3) | 4)), undefined],
  ['a group without end', inHttp(Buffer.of((9 << 3) | 3)), undefined],
  ['a wire type that there is not', inHttp(Buffer.of((9 << 3) | 6)), undefined],
  ['a field of number 0', inHttp(Buffer.of(2, 0)), undefined],
  ['a length that leads out', inHttp(Buffer.of((4 << 3) | 2, 9, 97)), undefined],
  ['a length of four gigabytes', inHttp(Buffer.of((4 << 3) | 2, 255, 255, 255, 255, 15)), undefined],
  ['a length in five bytes', inHttp(Buffer.of((4 << 3) | 2, 0x81, 0x80, 0x80, 0x80, 0, 97)), 'a'],
  ['a length in six bytes', inHttp(Buffer.of((4 << 3) | 2, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 97)), undefined],
  ['a length of more than 32 bits', inHttp(Buffer.of((4 << 3) | 2, 255, 255, 255, 255, 31)), undefined],
  ['a number without end', inHttp(Buffer.from([9 << 3, ...Array(11).fill(255)])), undefined],
  ['a tag that is cut off', inHttp(Buffer.of(0x80)), undefined],
  ['four bytes that are cut off', inHttp(Buffer.of((9 << 3) | 5, 1)), undefined],
];
for (const [name, bytes, path] of paths)
  test(`${name}: ${path ?? 'refused'}`, () => assert.equal(readCheckRequest(bytes)?.http.path, path));

const entry = (key: string, value: string, number = 2): Buffer =>
  Buffer.concat([field(1, key), field(number, value)]);
const inMap = (...entries: Buffer[]): Buffer => inHttp(...entries.map((each) => field(3, each)));
const inList = (...lines: Buffer[]): Buffer =>
  inHttp(field(13, Buffer.concat(lines.map((each) => field(1, each)))));
const lines: readonly [string, Buffer, readonly Header[]][] = [
  [
    'a key of the map that comes twice counts as it comes last, where it came first',
    inMap(entry('a', '1'), entry('b', '2'), entry('a', '3')),
    [
      ['a', '3'],
      ['b', '2'],
    ],
  ],
  [
    'keys that differ in their case are two, of one name',
    inMap(entry('A', '1'), entry('a', '2'), entry('A', '3')),
    [
      ['a', '3'],
      ['a', '2'],
    ],
  ],
  [
    'an entry without its value is empty',
    inMap(field(1, 'a'), entry('b', '')),
    [
      ['a', ''],
      ['b', ''],
    ],
  ],
  ['an entry without its key has no name', inMap(field(2, 'a')), [['', 'a']]],
  [
    'a value that comes twice counts as it comes last',
    inMap(Buffer.concat([entry('a', '1'), field(2, '')])),
    [['a', '']],
  ],
  [
    'lines of the list stand apart',
    inList(entry('a', '1'), entry('A', '2'), entry('a', '1')),
    [
      ['a', '1'],
      ['a', '2'],
      ['a', '1'],
    ],
  ],
  [
    'raw_value comes before value',
    inList(Buffer.concat([entry('a', 'raw', 3), field(2, 'value')])),
    [['a', 'raw']],
  ],
  [
    'an empty raw_value is none',
    inList(Buffer.concat([entry('a', 'raw', 3), field(2, 'value'), field(3, '')])),
    [['a', 'value']],
  ],
  [
    'a length in more bytes than it needs',
    inList(Buffer.concat([field(1, 'a'), Buffer.of(0x1a, 0x80, 0x00, 0x12, 0x81, 0x00, 98)])),
    [['a', 'b']],
  ],
  [
    'the list is taken where both come',
    Buffer.concat([inMap(entry('a', '1')), inList(entry('b', '2'))]),
    [['b', '2']],
  ],
];
for (const [name, bytes, headers] of lines)
  test(`headers: ${name}`, () => {
    const attributes = readCheckRequest(bytes)!;
    assert.deepEqual([...attributes.http.headers], headers);
    checkLookups(attributes);
  });

const names: readonly [name: string | Uint8Array, isUnusual: boolean][] = [
  ['X-Client-Cert-1', false],
  [':authority', false],
  ['', false],
  [':', false],
  ['x_a', true],
  ['x.a', true],
  ['x:a', true],
  ['::a', true],
  ['a:', true],
  ['x-to\u212aen', true],
  ['x\0a', true],
  [Buffer.of(0x78, 0xff), true],
];
for (const [name, isUnusual] of names)
  test(`the name ${JSON.stringify(Buffer.from(name as string).toString('latin1'))} is ${isUnusual ? 'unusual' : 'usual'}`, () => {
    const attributes = readCheckRequest(inList(Buffer.concat([field(1, name), field(2, ':')])))!;
    assert.equal(unusualNames(attributes.http.headers).length, Number(isUnusual));
    checkLookups(attributes);
  });

test('of what the route says, a key that comes twice counts as it comes last', () => {
  const extensions = [entry('a', '1'), entry('b', '2'), entry('a', '3')].map((each) => field(10, each));
  const attributes = readCheckRequest(field(1, Buffer.concat(extensions)))!;
  assert.deepEqual(
    [...attributes.contextExtensions],
    [
      ['a', '3'],
      ['b', '2'],
    ],
  );
  checkLookups(attributes);
});

const header = fc.record({ header: fc.record({ key: text, value: text }) });
const response: fc.Arbitrary<CheckResponse> = fc.record({
  status: fc.oneof(fc.record({ code: fc.nat(16) }), fc.record({ code: fc.nat(16), message: text })),
  dynamic_metadata: fc.record({
    fields: fc.dictionary(key, fc.record({ stringValue: text }), { maxKeys: 5 }),
  }),
});
const outcome = fc.oneof(
  fc.record({
    denied_response: fc.record({
      status: fc.record({ code: fc.integer({ min: 100, max: 599 }) }),
      headers: fc.array(header, { maxLength: 4 }),
      body: text,
    }),
  }),
  fc.record({
    ok_response: fc.record({
      headers: fc.array(header, { maxLength: 4 }),
      headers_to_remove: fc.array(text, { maxLength: 4 }),
    }),
  }),
);

test('any CheckResponse is written byte for byte as proto-loader writes it', () => {
  fc.assert(
    fc.property(response, outcome, (common, rest) => {
      const value: CheckResponse = { ...common, ...rest };
      const framed = encodeCheckResponse(value);
      assert.equal(framed.readUInt32BE(1), framed.length - 5);
      assert.equal(framed[0], 0);
      assert.deepEqual(framed.subarray(5).toString('hex'), codec.responseSerialize(value).toString('hex'));
    }),
    { numRuns: 1000 },
  );
});

test('texts of any length and any characters are written so, a short answer after a long one', () => {
  const lengths = [0, 1, 127, 128, 129, 255, 256, 8000, 8192, 16_383, 16_384, 70_000, 3];
  for (const odd of ['', '\u007f', '\u0080', 'ä', '€', '\u{1f600}'])
    for (const length of lengths)
      for (const value of [`${odd}${'x'.repeat(length)}`, `${'x'.repeat(length)}${odd}`]) {
        const answer: CheckResponse = {
          status: { code: 16, message: value },
          denied_response: {
            status: { code: 401 },
            headers: [{ header: { key: value, value } }, { header: { key: 'b', value: 'c' } }],
            body: value,
          },
          ok_response: { headers: [{ header: { key: 'a', value } }], headers_to_remove: [value, 'a'] },
          dynamic_metadata: { fields: { [value]: { stringValue: value }, z: { stringValue: 'y' } } },
        };
        const written = encodeCheckResponse(answer).subarray(5);
        assert.ok(written.equals(codec.responseSerialize(answer)), `${length} characters and ${odd}`);
      }
});

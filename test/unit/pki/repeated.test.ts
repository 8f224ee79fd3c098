import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DerError, type Element, elementAt, encodingOf, readWhole, tags } from '../../../src/pki/der/der.ts';
import { Repeated } from '../../../src/pki/der/repeated.ts';

const read = (element: Element) => ({ hex: Buffer.from(encodingOf(element)).toString('hex') });
const octets = (...bytes: readonly number[]): Element =>
  readWhole(Uint8Array.of(tags.octetString, bytes.length, ...bytes), tags.octetString, '');

test('what comes for the second time is read once more, and from then on is the same', () => {
  const repeated = new Repeated(read, { places: 64, longest: 16 });
  const [first, second, third] = [1, 2, 3].map(() => repeated.of(octets(1, 2, 3)));
  assert.deepEqual(first, { hex: '0403010203' });
  assert.notEqual(second, first);
  assert.equal(third, second);
});

test('others with the same length, place or hash are read as what they are, over and over', () => {
  const repeated = new Repeated(read, { places: 2, longest: 16 });
  for (let round = 0; round < 4; round++)
    for (let byte = 0; byte < 256; byte++)
      for (const element of [octets(byte), octets(byte, byte), octets(0, byte)])
        assert.deepEqual(repeated.of(element), read(element));
});

test('two of one hash are not copied each time that one comes after the other', () => {
  const two = ['06062a12650c1351', '06062a740d256f4a'].map((hex) => Buffer.from(`00${hex}`, 'hex'));
  for (const order of ['01', '0011', '011', '01111']) {
    let copies = 0;
    const repeated = new Repeated(
      (element) => {
        if (element.start === 0) copies++;
        return Buffer.from(encodingOf(element)).toString('hex');
      },
      { places: 64, longest: 16 },
    );
    for (let i = 0; i < 1000; i++) {
      const bytes = two[Number(order[i % order.length])]!;
      assert.equal(repeated.of(elementAt(bytes, 1)), bytes.toString('hex', 1));
    }
    assert.ok(copies > 1, 'one takes the place of the other');
    assert.ok(copies < 150, `${order}: ${copies} copies`);
  }
});

test('the bytes may be changed afterwards, and what they stand in is not kept', () => {
  const repeated = new Repeated((element) => element, { places: 64, longest: 16 });
  const bytes = Uint8Array.of(0, 0, tags.octetString, 1, 7, 0);
  const inside: Element = { bytes: Buffer.from(bytes.buffer), tag: 4, start: 2, content: 4, end: 5 };
  for (let i = 0; i < 3; i++) repeated.of(inside);
  const kept = repeated.of(inside);
  assert.equal(kept.bytes.length, 3);
  bytes.fill(9);
  assert.deepEqual([...kept.bytes], [tags.octetString, 1, 7]);
  assert.notEqual(repeated.of(inside), kept);
});

test('what is too long, or can not be read, is read each time', () => {
  let reads = 0;
  const repeated = new Repeated(
    (element) => {
      reads++;
      if (element.bytes[element.content] === 1) throw new DerError('one');
      return reads;
    },
    { places: 64, longest: 4 },
  );
  for (let i = 0; i < 4; i++) assert.throws(() => repeated.of(octets(1)), DerError);
  for (let i = 0; i < 4; i++) repeated.of(octets(2, 2, 2));
  assert.equal(reads, 8);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DerError, type Element, elementAt, tags } from '../../../../src/pki/der/der.ts';
import { readTime } from '../../../../src/pki/der/der-values.ts';

const time = (text: string, tag: number = tags.generalizedTime): Element =>
  elementAt(Buffer.concat([Buffer.of(tag, text.length), Buffer.from(text, 'latin1')]), 0);

const two = (value: number): string => String(value).padStart(2, '0');

test('each day of every year there is, the days that there are not among them, is what JavaScript takes it for', () => {
  for (let year = 0; year < 10_000; year++)
    for (let month = 1; month <= 12; month++)
      // The days around which calendars differ; all of them in some years.
      for (const day of year % 100 < 5
        ? Array.from({ length: 31 }, (_, at) => at + 1)
        : [1, 28, 29, 30, 31]) {
        const text = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T23:59:58Z`;
        const date = new Date(text);
        const exists = date.getUTCDate() === day;
        const read = () => readTime(time(text.replace(/[-T:]/g, '')));
        if (exists) assert.equal(read(), date.getTime(), text);
        else assert.throws(read, DerError, text);
      }
});

test('each month, day, hour, minute and second of two digits is an instant or none, as JavaScript has it', () => {
  for (const [at, separators] of [
    [4, '2024-xx-01T00:00:00Z'],
    [6, '2024-02-xxT00:00:00Z'],
    [8, '2024-02-29Txx:00:00Z'],
    [10, '2024-02-29T00:xx:00Z'],
    [12, '2024-02-29T00:00:xxZ'],
  ] as const)
    for (let value = 0; value < 100; value++) {
      const text = separators.replace('xx', two(value));
      const date = new Date(text);
      // What JavaScript takes for the next day at midnight is no hour of ours; nor is a day that it moves on.
      const exists = !Number.isNaN(date.getTime()) && date.toISOString() === text.replace('Z', '.000Z');
      const read = () => readTime(time(text.replace(/[-T:]/g, '')));
      if (exists) assert.equal(read(), date.getTime(), text);
      else assert.throws(read, DerError, `${text} (${at})`);
    }
});

test('a UTCTime is of the years 1950 to 2049', () => {
  for (let year = 0; year < 100; year++) {
    const full = year < 50 ? 2000 + year : 1900 + year;
    assert.equal(readTime(time(`${two(year)}0301120000Z`, tags.utcTime)), Date.UTC(full, 2, 1, 12));
  }
});

const wrong: [text: string, tag: number][] = [
  ['2403011200Z', tags.utcTime],
  ['240301120000+0000', tags.utcTime],
  ['240301120000z', tags.utcTime],
  ['20240301120000.5Z', tags.generalizedTime],
  ['20240301120000', tags.generalizedTime],
  ['', tags.utcTime],
  ['240301120000Z', tags.generalizedTime],
  ['20240301120000Z', tags.utcTime],
  ['240301120000Z', tags.octetString],
];
for (let at = 0; at < 12; at++)
  for (const character of ['/', ':', ' ', '-', '\u0000', '\u00ff'])
    wrong.push([`${'240301120000'.slice(0, at)}${character}${'240301120000'.slice(at + 1)}Z`, tags.utcTime]);

test('what is written in another way is no time', () => {
  for (const [text, tag] of wrong) assert.throws(() => readTime(time(text, tag)), DerError, text);
});

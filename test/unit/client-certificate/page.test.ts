import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { defaultLimits } from '../../../src/client-certificate/formats/reading.ts';
import { type CertificateFormat, formatOf, formats } from '../../../src/client-certificate/formats/table.ts';
import { presentedErrors } from '../../../src/client-certificate/presented.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/certificate-sources.md'), 'utf8');

for (const name of Object.keys(formats) as CertificateFormat[]) {
  test(`docs/certificate-sources.md: the row of ${name} is the table's, and it has a recipe or is a coding`, () => {
    const { header, chain, chainHeader } = formatOf(name);
    const cell = chain === 'none' ? '–' : chain === 'inside' ? 'inside' : `\`${chainHeader}\``;
    assert.ok(page.includes(`| \`${name}\` | \`${header}\` | ${cell} |`));
    const coding = name.startsWith('percent-') || name.startsWith('base64-');
    assert.equal(page.includes(`\`format = "${name}"\``), !coding);
  });
}

test('docs/certificate-sources.md: codes and limits are the real ones', () => {
  for (const [, code] of page.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)) {
    if (/^(header|sender|plus|raw|xfcc|chain|certificate)_/.test(code!))
      assert.ok(code! in presentedErrors, code);
  }
  assert.ok(page.includes(`${defaultLimits.certificateLength / 1024} KiB of text`));
  assert.ok(page.includes(`${defaultLimits.chainLength / 1024} KiB for a chain`));
});

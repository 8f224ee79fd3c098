import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve(import.meta.dirname, '../../../shared/conformance');

export const exceptionsFile = resolve(import.meta.dirname, 'exceptions.toml');

/** The suites that lie beside the repository; none where they don't. */
export const suiteFiles = (): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /\.jsonl(\.gz)?$/.test(name))
        .sort()
        .map((name) => join(folder, name))
    : [];

import { readFileSync } from 'node:fs';

/** Of the program as it lies on the disk now, which an upgrade may have changed since this process began. */
export const version = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;

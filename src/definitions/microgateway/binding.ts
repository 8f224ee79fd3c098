import type { Cursor } from '../../documents/cursor.ts';

/** One `[[mutualSSLConfig.api.certificates]]`: who may call an API. */
export type Binding = {
  readonly name: string;
  readonly version: string;
  readonly aliases: readonly string[];
  /** Its own header; the original ignored it, but it is what its reader means. */
  readonly header: string | undefined;
  readonly at: Cursor;
};

/** Name and version without case, as there. */
export const apiKey = ({ name, version }: { readonly name: string; readonly version: string }): string =>
  JSON.stringify([name.toLowerCase(), version.toLowerCase()]);

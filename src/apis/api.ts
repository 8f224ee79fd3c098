import type { Operations } from './operations.ts';
import type { Security } from './security.ts';

/** Whose error bodies a denial has. */
export const errorFormats = [
  'choreo-connect',
  'microgateway',
  'apk',
  'api-manager',
  'bijira',
  'problem+json',
] as const;
export type ErrorFormat = (typeof errorFormats)[number];

export type Api = {
  readonly name: string;
  readonly version: string;
  /** Whole segments, begins with '/', no slash at the end; '' is the root. */
  readonly basePath: string;
  /** Lower case, no port, no trailing dot: exact names, '*.example.com', or '*'. */
  readonly hosts: readonly string[];
  readonly security: Security;
  /** undefined: none are listed, and all that is below the base path is the API. */
  readonly operations: Operations | undefined;
  /** What is not among the operations is the API's as a whole, in place of not there. */
  readonly servesUnlisted: boolean;
  readonly errorFormat: ErrorFormat;
  /** What the generated Envoy's route says that leads to its backend. */
  readonly madeFor: string;
  /** What is wrong with its definition: it keeps its place and admits nobody. */
  readonly fault: string | undefined;
};

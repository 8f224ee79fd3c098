import { readPem } from './pem-text.ts';
import { readPercentPem } from './percent-pem.ts';
import type { Limits, Reading } from './reading.ts';

/** nginx: `$ssl_client_escaped_cert` is percent-encoded; in the older `$ssl_client_cert` Envoy leaves a tab for each newline. */
export const readNginx = (value: string, limits: Limits): Reading =>
  value.includes('%') ? readPercentPem(value, limits) : readPem(value, '\t', limits, 'the header');

/** Apache: `%{SSL_CLIENT_CERT}s` has a space for each newline; within `%{escape:…}` it is percent-encoded. */
export const readApache = (value: string, limits: Limits): Reading =>
  value.includes('%') ? readPercentPem(value, limits) : readPem(value, ' ', limits, 'the header');

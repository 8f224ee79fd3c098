import type { Api } from '../../src/apis/api.ts';
import type { BoundClients, Security } from '../../src/apis/security.ts';
import type { AnswerSettings } from '../../src/snapshot.ts';

const nobody: BoundClients = { exact: new Map(), rules: [], issuedBy: [], restricted: [] };

export const security: Security = {
  mutualSsl: 'mandatory',
  clients: nobody,
  sources: { peer: undefined, headers: [], allowHeaderOverPlaintext: false },
  optionalCertificate: 'reject-wrong',
  applicationSecurity: 'off',
  tokens: undefined,
};

/** An API of which only its place matters. */
export const apiAt = (place: Pick<Api, 'name' | 'version' | 'hosts' | 'basePath'>): Api => ({
  ...place,
  security,
  operations: undefined,
  servesUnlisted: false,
  errorFormat: 'choreo-connect',
  madeFor: '',
  fault: undefined,
});

/** Answers without identity headers. */
export const plainAnswers: AnswerSettings = {
  reasonHeader: 'x-mtls-reason',
  identityHeaders: {
    alias: undefined,
    tier: undefined,
    sha256: undefined,
    subject: undefined,
    clientId: undefined,
    scopes: undefined,
    tokenSubject: undefined,
  },
  outbound: undefined,
  headersToRemove: [],
  errorFormat: 'choreo-connect',
  tokenHeader: { name: 'authorization', forward: false },
  backendJwtHeader: 'x-jwt-assertion',
};

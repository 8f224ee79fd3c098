import { z } from 'zod';
import { algorithms } from '../../oauth2/algorithms.ts';
import { absoluteUrl, headerName, table, text } from './values.ts';

/** `[[enforcer.security.tokenService]]` and what stands around it. */
export const boundTokens = () => z.enum(['off', 'when-present', 'required']);
export const audiences = () => z.array(text('an audience, for example "https://api.example.com"'));

export const tokenService = table({
  name: text('a name, for example "Resident Key Manager"').describe(
    'Its name, by which `issuers` of an API mean it.',
  ),
  issuer: text('the issuer, for example "https://idp.example.com"')
    .regex(/^(?:\S(?:.*\S)?)?$/s, { error: 'write it without blanks around it, as tokens have it in iss' })
    .describe('What its tokens say in `iss`, exactly.'),
  jwksURL: absoluteUrl({ query: true, empty: true, example: 'https://idp.example.com/oauth2/jwks' })
    .optional()
    .describe(
      'Where it publishes its keys. Fetched at the start, every 5 minutes and for an unknown `kid` (every 10 seconds at most); the last good keys are kept.',
    ),
  jwksCaPath: text('a PEM file')
    .optional()
    .describe('PEM bundle of CAs trusted for `jwksURL`, in place of the system’s.'),
  jwksPath: text('a JSON file').optional().describe('File with its keys (JWK Set), in place of `jwksURL`.'),
  certificateFilePath: z
    .string()
    .optional()
    .describe(
      'PEM certificate with its key: for tokens without `kid`, and for all where there is no JWKS. Its dates are not looked at.',
    ),
  certificatePem: text('a certificate as PEM text')
    .optional()
    .describe('As `certificateFilePath`, with the certificate itself in place of a path.'),
  certificateAlias: z
    .string()
    .optional()
    .describe("Choreo Connect's name for that certificate in its trust store; not used here."),
  audiences: audiences()
    .default([])
    .describe(
      'One of these must be in `aud`, where the API says nothing else. Empty: any, which is warned about.',
    ),
  algorithms: z
    .array(z.enum(algorithms))
    .min(1, { error: 'write at least one algorithm, for example "RS256"' })
    .default([...algorithms])
    .describe('Signature algorithms that are accepted.'),
  tokenTypes: z
    .array(text('a type, for example "at+jwt"'))
    .min(1, { error: 'write at least one type, for example "at+jwt"' })
    .optional()
    .describe(
      'What `typ` may be; `none`: there need be none. Unset: `at+jwt` (RFC 9068), and in a file with Choreo Connect’s own tables also `JWT` and `none`.',
    ),
  clockSkew: z
    .int()
    .min(0)
    .max(600)
    .default(5)
    .describe('How many seconds our clock and the issuer’s may differ, for `exp` and `nbf`.'),
  consumerKeyClaim: z
    .string()
    .optional()
    .describe('Claim that names the client. Unset: `azp`, else `client_id`.'),
  scopesClaim: z
    .array(text('a claim, for example "scp"'))
    .min(1, { error: 'write at least one claim, for example "scope"' })
    .default(['scope', 'scp'])
    .describe(
      'Claims that hold the scopes, as a text with spaces between or as a list; the first that is there counts. `roles` for what Entra ID grants to services.',
    ),
  validateSubscription: z
    .boolean()
    .default(false)
    .describe(
      'true: every API that takes this issuer must list `consumerKeys`. (There is no control plane to ask.)',
    ),
  certificateBoundTokens: boundTokens()
    .optional()
    .describe(
      'RFC 8705. when-present: a token that is bound to a certificate needs it. required: every token must be bound. off: not looked at. The strictest of issuer, API and operation counts; unset everywhere: when-present.',
    ),
  acceptHexThumbprint: z
    .boolean()
    .default(false)
    .describe('true: `x5t#S256` may also be 64 hex digits, as WSO2 once documented.'),
  claimMapping: z
    .array(
      table({
        remoteClaim: text('a claim').describe("The token's claim."),
        localClaim: text('a claim').describe(
          "Its name in the backend's JWT. None by which that says what was verified here.",
        ),
      }),
    )
    .default([])
    .describe("Claims of the token for the backend's JWT."),
});

export const authHeader = table({
  authorizationHeader: headerName()
    .default('Authorization')
    .describe(
      'Header in which access tokens come, after the word `Bearer`; in another than Authorization also without.',
    ),
  enableOutboundAuthHeader: z
    .boolean()
    .default(false)
    .describe('true: a verified token goes on to the backend. Any other never does.'),
  testConsoleHeaderName: z.string().optional().describe('Choreo Connect’s; not used here.'),
});

export const jwtGenerator = table({
  enabled: z
    .boolean()
    .optional()
    .describe('true: the backend gets a signed JWT that tells who the client is. `enable` is the same.'),
  enable: z.boolean().optional().describe('As `enabled`; Choreo Connect’s documents have both.'),
  header: headerName()
    .default('X-JWT-Assertion')
    .describe('Header of that JWT. A client’s own is always removed, whether this is on or off.'),
  claimDialect: text('a URI, for example "http://wso2.org/claims"')
    .default('http://wso2.org/claims')
    .describe('What the names of its claims begin with.'),
  convertDialect: z.boolean().default(false).describe('Choreo Connect’s; `claimMapping` always counts here.'),
  encoding: z
    .enum(['base64', 'base64url'])
    .default('base64')
    .describe('base64url: as RFC 7515 has it. base64: as WSO2’s backends expect it.'),
  signingAlgorithm: z
    .enum(['SHA256withRSA'], { error: 'write "SHA256withRSA"; an unsigned JWT could be anybody’s' })
    .default('SHA256withRSA')
    .describe('How it is signed (RS256). Never `NONE`.'),
  publicCertificatePath: text('a PEM file')
    .default('/home/wso2/security/truststore/mg.pem')
    .describe('PEM certificate of the key that signs it.'),
  privateKeyPath: text('a PEM file')
    .default('/home/wso2/security/keystore/mg.key')
    .describe('PEM private key, RSA, that signs it.'),
  tokenTtl: z
    .int()
    .min(30)
    .max(86_400)
    .default(900)
    .describe('For how many seconds it counts; never longer than the access token or the certificate.'),
});

/** As it is written, before defaults. */
export type TokenServiceInput = z.input<typeof tokenService>;

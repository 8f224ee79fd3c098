import type { Cursor } from '../../documents/cursor.ts';
import { shown } from '../../documents/problem.ts';
import type { WrittenClient } from '../written.ts';
import { inlineClients, referredClients } from './certificates.ts';
import type { ApkFiles, Resource } from './files.ts';
import type { Ask } from './security.ts';

const requirement = ['mandatory', 'optional'] as const;

const requiredLeftOut =
  'required is left out: mandatory, as the document says (APK’s code has optional); write required: optional if that is what you mean';

/** The `authentication` list of an apk-conf: `authType` with `required`, `enabled`, `certificates`. */
export function readConfAuthentication(list: Cursor, files: ApkFiles): Ask {
  const seen = new Set<string>();
  const ask: { -readonly [key in keyof Ask]: Ask[key] } = {};
  for (const entry of list.list()) {
    const at = entry.get('authType');
    if (!at.isWritten) entry.error(`found ${entry.found}; write authType: mTLS or OAuth2`);
    const authType = at.word(['mTLS', 'OAuth2', 'APIKey', 'JWT']);
    if (authType === undefined) continue;
    if (seen.has(authType)) entry.error(`is a second entry for ${authType}; write one`);
    seen.add(authType);
    entry.known(keysOf[authType]);
    const enabled = entry.get('enabled').flag() ?? true;
    const required = entry.get('required').word(requirement);
    if (authType === 'mTLS') {
      const clients = referredClients(entry.get('certificates'), ['ConfigMap', 'Secret'], undefined, files);
      ask.mtls = { mode: enabled ? (required ?? 'mandatory') : 'off', clients };
      if (enabled && required === undefined) entry.warn(requiredLeftOut);
    } else if (authType === 'OAuth2') {
      ask.oauth2 = enabled ? (required ?? 'mandatory') : 'off';
      if (enabled) warnOfToken(entry, 'headerName');
    } else if (enabled) {
      ask.others = ask.others === 'mandatory' || required === 'mandatory' ? 'mandatory' : 'optional';
    }
  }
  return ask;
}

const tokenKeys = [
  'authType',
  'required',
  'enabled',
  'sendTokenToUpstream',
  'headerName',
  'headerEnable',
  'queryParamName',
  'queryParamEnable',
];
const keysOf = {
  mTLS: ['authType', 'required', 'enabled', 'certificates'],
  OAuth2: tokenKeys,
  APIKey: tokenKeys,
  JWT: [...tokenKeys, 'audience'],
} as const;

/** Of an Authentication's `spec`. */
export const authenticationKeys = ['default', 'override', 'targetRef'] as const;

/** `spec.default` or `spec.override` of an Authentication; undefined: it is not there. */
export function readAuthenticationSpec(spec: Cursor, owner: Resource, files: ApkFiles): Ask | undefined {
  if (spec.value === undefined) return undefined;
  spec.known(['disabled', 'authTypes', 'mtls']);
  if (spec.get('disabled').flag() === true)
    return { oauth2: 'off', mtls: { mode: 'off', clients: [] }, disabled: true };
  const types = spec.get('authTypes');
  types.known(['oauth2', 'apiKey', 'jwt', 'mtls']);
  // The document has `mtls` beside authTypes, its code has it inside.
  const mtls = [spec.get('mtls'), types.get('mtls')]
    .map((at) => readMtls(at, owner, files))
    .filter((read) => read !== undefined);
  return {
    oauth2: readOauth2(types.get('oauth2')),
    mtls:
      mtls.length === 0
        ? undefined
        : {
            mode: strictestOf(mtls.map(({ mode }) => mode)),
            clients: mtls.flatMap(({ clients }) => clients),
          },
    others: readOthers(types),
  };
}

type Mtls = NonNullable<Ask['mtls']>;

function readMtls(at: Cursor, owner: Resource, files: ApkFiles): Mtls | undefined {
  if (at.value === undefined) return undefined;
  at.known(['disabled', 'required', 'configMapRefs', 'secretRefs', 'certificatesInline']);
  const required = at.get('required').word(requirement);
  const refers = (key: string, kind: 'ConfigMap' | 'Secret'): readonly WrittenClient[] =>
    referredClients(at.get(key), [kind], owner.namespace, files);
  if (at.get('disabled').flag() === true) return { mode: 'off', clients: [] };
  if (required === undefined && at.isTable) at.warn(requiredLeftOut);
  return {
    mode: required ?? 'mandatory',
    clients: [
      ...refers('configMapRefs', 'ConfigMap'),
      ...refers('secretRefs', 'Secret'),
      ...inlineClients(at.get('certificatesInline'), owner.name),
    ],
  };
}

function readOauth2(at: Cursor): Ask['oauth2'] {
  if (at.value === undefined) return undefined;
  at.known(['required', 'disabled', 'header', 'sendTokenToUpstream']);
  const required = at.get('required').word(requirement);
  if (at.get('disabled').flag() === true) return 'off';
  warnOfToken(at, 'header');
  return required ?? 'mandatory';
}

/** Where the token stands is one setting for all APIs here. */
function warnOfToken(at: Cursor, headerKey: string): void {
  const header = at.get(headerKey).text('"authorization"');
  if (header !== undefined && header.toLowerCase() !== 'authorization')
    at.get(headerKey).warn(
      `found ${shown(header)}: tokens are read from one header for all APIs; set enforcer.security.authHeader.authorizationHeader`,
    );
  const sends = at.get('sendTokenToUpstream');
  if (sends.flag() === true)
    sends.warn(
      'the backend gets no token; set enforcer.security.authHeader.enableOutboundAuthHeader if it needs it',
    );
}

function readOthers(types: Cursor): Ask['others'] {
  const jwt = types.get('jwt');
  // Off unless it is turned on, as its definition has it.
  const usesJwt = jwt.value !== undefined && jwt.get('disabled').flag() === false;
  return types.get('apiKey').list().length > 0 || usesJwt ? 'optional' : undefined;
}

const strictestOf = (modes: readonly Mtls['mode'][]): Mtls['mode'] =>
  modes.includes('mandatory') ? 'mandatory' : modes.includes('optional') ? 'optional' : 'off';

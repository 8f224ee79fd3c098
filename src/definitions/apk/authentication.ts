import {
  below,
  elementsAt,
  flagAt,
  isTable,
  isWritten,
  knownKeysAt,
  type Place,
  type Problems,
  problemAt,
  shown,
  textAt,
  wordAt,
} from '../place.ts';
import type { DefinitionProblem, WrittenClient } from '../written.ts';
import { inlineClients, referredClients } from './certificates.ts';
import type { ApkFiles, Resource } from './files.ts';
import type { Ask } from './security.ts';

/** What an apk-conf or an Authentication says, with what was found on the way. */
export type ReadAsk = Ask & { readonly warnings: readonly DefinitionProblem[] };

const requirement = ['mandatory', 'optional'] as const;

const requiredLeftOut =
  'required is left out: mandatory, as the document says (APK’s code has optional); write required: optional if that is what you mean';

/** The `authentication` list of an apk-conf: `authType` with `required`, `enabled`, `certificates`. */
export function readConfAuthentication(list: Place, files: ApkFiles, problems: Problems): ReadAsk {
  const warnings: DefinitionProblem[] = [];
  const seen = new Set<string>();
  const ask: { -readonly [key in keyof Ask]: Ask[key] } = {};
  for (const entry of elementsAt(list, problems)) {
    const place = below(entry, 'authType');
    if (!isWritten(place))
      problems.push(problemAt(entry, `found ${shown(entry.value)}; write authType: mTLS or OAuth2`));
    const authType = wordAt(place, ['mTLS', 'OAuth2', 'APIKey', 'JWT'], problems);
    if (authType === undefined) continue;
    if (seen.has(authType)) problems.push(problemAt(entry, `is a second entry for ${authType}; write one`));
    seen.add(authType);
    knownKeysAt(entry, keysOf[authType], problems);
    const enabled = flagAt(below(entry, 'enabled'), problems) ?? true;
    const required = wordAt(below(entry, 'required'), requirement, problems);
    if (authType === 'mTLS') {
      const clients = referredClients(
        below(entry, 'certificates'),
        ['ConfigMap', 'Secret'],
        undefined,
        files,
        problems,
      );
      ask.mtls = { mode: enabled ? (required ?? 'mandatory') : 'off', clients };
      if (enabled && required === undefined) warnings.push(problemAt(entry, requiredLeftOut));
    } else if (authType === 'OAuth2') {
      ask.oauth2 = enabled ? (required ?? 'mandatory') : 'off';
      if (enabled) warnings.push(...oauth2Warnings(entry, 'headerName', problems));
    } else if (enabled) {
      ask.others = ask.others === 'mandatory' || required === 'mandatory' ? 'mandatory' : 'optional';
    }
  }
  return { ...ask, warnings };
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
export function readAuthenticationSpec(
  spec: Place,
  owner: Resource,
  files: ApkFiles,
  problems: Problems,
): ReadAsk | undefined {
  if (spec.value === undefined) return undefined;
  knownKeysAt(spec, ['disabled', 'authTypes', 'mtls'], problems);
  if (flagAt(below(spec, 'disabled'), problems) === true)
    return { oauth2: 'off', mtls: { mode: 'off', clients: [] }, disabled: true, warnings: [] };
  const types = below(spec, 'authTypes');
  knownKeysAt(types, ['oauth2', 'apiKey', 'jwt', 'mtls'], problems);
  const warnings: DefinitionProblem[] = [];
  // The document has `mtls` beside authTypes, its code has it inside.
  const mtls = [below(spec, 'mtls'), below(types, 'mtls')]
    .map((place) => readMtls(place, owner, files, problems, warnings))
    .filter((read) => read !== undefined);
  return {
    oauth2: readOauth2(below(types, 'oauth2'), problems, warnings),
    mtls:
      mtls.length === 0
        ? undefined
        : {
            mode: strictestOf(mtls.map(({ mode }) => mode)),
            clients: mtls.flatMap(({ clients }) => clients),
          },
    others: readOthers(types, problems),
    warnings,
  };
}

type Mtls = NonNullable<Ask['mtls']>;

function readMtls(
  place: Place,
  owner: Resource,
  files: ApkFiles,
  problems: Problems,
  warnings: DefinitionProblem[],
): Mtls | undefined {
  if (place.value === undefined) return undefined;
  knownKeysAt(place, ['disabled', 'required', 'configMapRefs', 'secretRefs', 'certificatesInline'], problems);
  const required = wordAt(below(place, 'required'), requirement, problems);
  const refers = (key: string, kind: 'ConfigMap' | 'Secret'): readonly WrittenClient[] =>
    referredClients(below(place, key), [kind], owner.namespace, files, problems);
  if (flagAt(below(place, 'disabled'), problems) === true) return { mode: 'off', clients: [] };
  if (required === undefined && isTable(place.value)) warnings.push(problemAt(place, requiredLeftOut));
  return {
    mode: required ?? 'mandatory',
    clients: [
      ...refers('configMapRefs', 'ConfigMap'),
      ...refers('secretRefs', 'Secret'),
      ...inlineClients(below(place, 'certificatesInline'), owner.name, problems),
    ],
  };
}

function readOauth2(place: Place, problems: Problems, warnings: DefinitionProblem[]): Ask['oauth2'] {
  if (place.value === undefined) return undefined;
  knownKeysAt(place, ['required', 'disabled', 'header', 'sendTokenToUpstream'], problems);
  const required = wordAt(below(place, 'required'), requirement, problems);
  if (flagAt(below(place, 'disabled'), problems) === true) return 'off';
  warnings.push(...oauth2Warnings(place, 'header', problems));
  return required ?? 'mandatory';
}

/** Where the token stands is one setting for all APIs here. */
function oauth2Warnings(place: Place, headerKey: string, problems: Problems): readonly DefinitionProblem[] {
  const header = textAt(below(place, headerKey), problems, '"authorization"');
  const sends = flagAt(below(place, 'sendTokenToUpstream'), problems);
  return [
    ...(header === undefined || header.toLowerCase() === 'authorization'
      ? []
      : [
          problemAt(
            below(place, headerKey),
            `found ${shown(header)}: tokens are read from one header for all APIs; set enforcer.security.authHeader.authorizationHeader`,
          ),
        ]),
    ...(sends === true
      ? [
          problemAt(
            below(place, 'sendTokenToUpstream'),
            'the backend gets no token; set enforcer.security.authHeader.enableOutboundAuthHeader if it needs it',
          ),
        ]
      : []),
  ];
}

function readOthers(types: Place, problems: Problems): Ask['others'] {
  const jwt = below(types, 'jwt');
  // Off unless it is turned on, as its definition has it.
  const usesJwt = jwt.value !== undefined && flagAt(below(jwt, 'disabled'), problems) === false;
  return elementsAt(below(types, 'apiKey'), problems).length > 0 || usesJwt ? 'optional' : undefined;
}

const strictestOf = (modes: readonly Mtls['mode'][]): Mtls['mode'] =>
  modes.includes('mandatory') ? 'mandatory' : modes.includes('optional') ? 'optional' : 'off';

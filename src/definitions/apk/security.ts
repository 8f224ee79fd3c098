import { madeMandatory, type WrittenApi, type WrittenClient } from '../written.ts';

type Mode = WrittenApi['mutualSSL'];

/** What one part of the files asks for; what it does not mention is undefined. */
export type Ask = {
  readonly oauth2?: Mode | undefined;
  readonly mtls?: { readonly mode: Mode; readonly clients: readonly WrittenClient[] } | undefined;
  /** All authentication is off at once, which is not the contradiction that disabling one by one can be. */
  readonly disabled?: boolean;
  /** API keys and APK's internal JWT, which are not read here; as they are asked for. */
  readonly others?: 'mandatory' | 'optional' | undefined;
};

/** `override` counts over `default`, for each kind of credential by itself. */
export type Asks = { readonly overrides: readonly Ask[]; readonly defaults: readonly Ask[] };

export type Combined = {
  readonly mutualSSL: Mode;
  readonly applicationSecurity: Mode;
  readonly clients: readonly WrittenClient[];
  readonly notes: readonly { readonly key: string; readonly text: string }[];
  /** What nobody can mean, as messages for the API itself. */
  readonly wrong: readonly string[];
  readonly warnings: readonly string[];
};

/**
 * What all parts of the files together ask for. Of several on one level the strictest counts, and all their certificates: APK itself
 * takes one of them and drops the others.
 */
export function combine({ overrides, defaults }: Asks): Combined {
  const chosen = <T>(of: (ask: Ask) => T | undefined): readonly T[] => {
    const above = overrides.map(of).filter((value) => value !== undefined);
    return above.length > 0 ? above : defaults.map(of).filter((value) => value !== undefined);
  };
  const mtls = chosen((ask) => ask.mtls);
  const others = strictest(chosen((ask) => ask.others));
  const asked = {
    mutualSSL: strictest(mtls.map(({ mode }) => mode)) ?? 'off',
    applicationSecurity: strictest(chosen((ask) => ask.oauth2)) ?? 'mandatory',
  } as const;
  const clients = mtls.filter(({ mode }) => mode !== 'off').flatMap(({ clients }) => clients);
  const modes = close(asked);
  const wrong = [
    ...contradictions(asked, mtls.length > 0 && !chosen((ask) => ask.disabled).includes(true), others),
    ...(modes.mutualSSL !== 'off' ? clientFaults(clients) : []),
  ];
  return {
    ...modes,
    clients: modes.mutualSSL === 'off' ? [] : distinct(clients),
    wrong,
    warnings:
      wrong.length > 0
        ? []
        : [
            ...(modes.mutualSSL === 'mandatory' && clients.length === 0 ? [noCertificate] : []),
            ...warningsOf(modes, others),
          ],
  };
}

type Modes = { readonly mutualSSL: Mode; readonly applicationSecurity: Mode };

/** The only security that there is can't be optional: that would leave the API open. */
function close({ mutualSSL, applicationSecurity }: Modes): Modes & Pick<Combined, 'notes'> {
  if (mutualSSL === 'optional' && applicationSecurity === 'off')
    return {
      mutualSSL: 'mandatory',
      applicationSecurity,
      notes: [madeMandatory('mutualSSL')],
    };
  if (mutualSSL === 'off' && applicationSecurity === 'optional')
    return {
      mutualSSL,
      applicationSecurity: 'mandatory',
      notes: [madeMandatory('applicationSecurity')],
    };
  return { mutualSSL, applicationSecurity, notes: [] };
}

function contradictions(asked: Modes, hasMtls: boolean, others: Ask['others']): readonly string[] {
  const { mutualSSL, applicationSecurity } = asked;
  if (others === 'mandatory')
    return [
      'needs an API key, and API keys are not read here; make it optional or disable it, and ask for mTLS or OAuth2',
    ];
  if (hasMtls && mutualSSL === 'off' && applicationSecurity !== 'mandatory')
    return [
      'has mTLS disabled and OAuth2 not mandatory, which APK refuses too; enable one of them and make it mandatory',
    ];
  if (others !== undefined && mutualSSL === 'off' && applicationSecurity === 'off')
    return ['is protected by API keys alone, which are not read here; ask for mTLS or OAuth2'];
  return [];
}

/** No fault: who takes the last one out means that nobody is admitted. */
const noCertificate =
  'asks for mTLS and names no certificate: nobody is admitted; write configMapRefs, secretRefs or certificatesInline (apk-conf: certificates)';

function clientFaults(clients: readonly WrittenClient[]): readonly string[] {
  const seen = new Map<string, string>();
  return clients.flatMap(({ alias }) => {
    const first = seen.get(alias.toLowerCase());
    seen.set(alias.toLowerCase(), first ?? alias);
    return first === undefined || first === alias
      ? []
      : [`has the certificates "${first}" and "${alias}", which differ by case only; rename one of the keys`];
  });
}

/** One reference may stand several times. */
const distinct = (clients: readonly WrittenClient[]): readonly WrittenClient[] => [
  ...new Map(clients.map((client) => [JSON.stringify([client.alias, client.pem]), client])).values(),
];

function warningsOf(modes: Modes, others: Ask['others']): readonly string[] {
  const warnings: string[] = [];
  if (modes.mutualSSL === 'off' && modes.applicationSecurity === 'off')
    warnings.push('is open to everybody: its authentication is disabled in the file');
  if (others !== undefined)
    warnings.push('API keys and internal JWTs are not read here: who sends nothing else is refused');
  return warnings;
}

const order: readonly Mode[] = ['off', 'optional', 'mandatory'];

function strictest<M extends Mode>(modes: readonly M[]): M | undefined {
  return modes.toSorted((a, b) => order.indexOf(b) - order.indexOf(a))[0];
}

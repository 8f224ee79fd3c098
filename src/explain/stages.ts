import type { Api } from '../apis/api.ts';
import type { Operation } from '../apis/operations.ts';
import type { Security } from '../apis/security.ts';
import { judgeSender } from '../client-certificate/source.ts';
import { quoted } from '../oauth2/token-failures.ts';
import { certificateStages } from './certificate-stages.ts';
import { isDecisive, type Situation } from './situation.ts';
import { passed, refused, type Stage, told } from './stage.ts';

/** In the order in which they are decided. What was not come to is left out. */
export function stagesOf(situation: Situation): readonly Stage[] {
  const { asked } = situation;
  const first = [requestStage(situation), ...apiStages(situation)];
  if (asked === undefined) return first;
  return [
    ...first,
    sourceStage(situation, asked.security),
    ...certificateStages(situation),
    tokenStage(situation, asked.security),
    tableStage(situation, asked.security),
  ];
}

/** Without the query: it may hold a token. */
function requestStage({ attributes: { http, source }, now }: Situation): Stage {
  const [path = '', ...query] = http.path.split('?');
  const more = query.length > 0 ? '?…' : '';
  return told(
    'request',
    `${http.method} ${http.scheme || 'https'}://${http.host.replace(/^.*@/s, '…@')}${path}${more}`,
    `from ${source.address ?? 'no address (a unix socket)'}, at ${new Date(now).toISOString()}`,
  );
}

function apiStages(situation: Situation): readonly Stage[] {
  const { api, decision, asked, attributes } = situation;
  if (api === undefined) return [refused('API', ...detailLines(situation), ...othersText(situation))];
  const by = attributes.contextExtensions.has('version') ? 'as the route names it' : `at ${placeText(api)}`;
  const name = `${api.name} ${api.version}, ${by}`;
  if (
    decision.outcome === 'deny' &&
    (decision.code === 'api_misconfigured' || decision.code === 'route_mismatch')
  )
    return [refused('API', name, decision.detail)];
  if (asked === undefined)
    return [
      passed('API', name),
      refused(
        'operation',
        ...detailLines(situation),
        ...(api.operations ?? []).slice(0, 8).map(operationText),
      ),
    ];
  return [passed('API', name), operationStage(api, asked)];
}

const detailLines = ({ decision }: Situation): readonly string[] =>
  decision.outcome === 'deny' ? [`${decision.code}: ${decision.detail}`] : [];

const placeText = ({ hosts, basePath }: Api): string =>
  `${hosts.length === 1 && hosts[0] === '*' ? 'any host' : hosts.slice(0, 4).join(', ')}, base path ${basePath || '/'}`;

/** Where there are APIs, as near to the path as may be. */
function othersText({ snapshot: { apis }, attributes }: Situation): readonly string[] {
  const first = attributes.http.path.split(/[/?]/, 2)[1] ?? '';
  const near = apis.apis.filter(({ basePath }) => first !== '' && basePath.split('/')[1] === first);
  const shown = (near.length > 0 ? near : apis.apis).slice(0, 4);
  return shown.map((api) => `there is ${api.name} ${api.version} at ${placeText(api)}`);
}

const operationText = ({ path, methods }: Operation): string =>
  `${methods === undefined ? 'any method' : [...methods].join(', ')} ${path}`;

function operationStage(api: Api, asked: Api | Operation): Stage {
  if ('segments' in asked) return passed('operation', operationText(asked));
  return passed(
    'operation',
    api.operations === undefined
      ? 'the API lists none: all below its base path is one'
      : 'none that the API lists, which serves others as well',
  );
}

function sourceStage({ attributes, now, presented }: Situation, { sources, mutualSsl }: Security): Stage {
  if (mutualSsl === 'off' && presented === undefined)
    return told('source', 'not looked for: the API does not ask for a certificate');
  const { fitting, verdict } = judgeSender(attributes, sources, now);
  if (fitting.length > 0)
    return told(
      'source',
      ...fitting.map(
        ({ header, format }) => `header ${header} (format "${format}"), for which this sender is trusted`,
      ),
    );
  return told(
    'source',
    sources.peer === undefined
      ? "none: this sender is trusted for no header, and the TLS client's own certificate is not looked at"
      : "the TLS client's own certificate",
    ...(verdict?.isSender === false
      ? [`which is that of ${verdict.isBarred ? 'a sender, refused' : 'no sender'}: ${verdict.why}`]
      : []),
  );
}

/** Never the token itself. */
function tokenStage(situation: Situation, { applicationSecurity, tokens }: Security): Stage {
  const { token } = situation;
  if (applicationSecurity === 'off' || tokens === undefined)
    return told('token', 'not looked at: the API does not ask for one');
  if (token === undefined || (token.kind === 'none' && wasBeyondTokens(situation)))
    return told('token', 'not looked at: the certificate decides');
  if (token.kind === 'none') {
    const is = isDecisive(situation, 'token_missing', 'credentials_missing') ? refused : told;
    return is('token', 'none came', `takes those of ${[...tokens.issuers.keys()].join(', ') || 'no issuer'}`);
  }
  if (token.kind === 'verified') {
    const { issuer, clientId, scopes, expires } = token.token;
    return passed(
      'token',
      `of "${issuer.name}", client ${quoted(clientId)}, scopes ${quoted(scopes)}, until ${instant(expires)}`,
    );
  }
  const text = `${token.code}: ${token.detail}`;
  return isDecisive(situation, token.code)
    ? refused('token', text)
    : told('token', text, 'a token is optional here, and this one counts as none');
}

const instant = (milliseconds: number): string => {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? 'for ever' : date.toISOString();
};

/** Its code says of the certificate what no token can mend. */
const wasBeyondTokens = ({ certificate, decision }: Situation): boolean =>
  decision.outcome === 'deny' &&
  (decision.code === 'certificate_missing' ||
    (certificate?.kind === 'wrong' && certificate.code === decision.code));

/** The cell of docs/truth-tables.md. */
function tableStage(situation: Situation, security: Security): Stage {
  const { mutualSsl, applicationSecurity, optionalCertificate } = security;
  const { decision, certificate, token } = situation;
  const way = mutualSsl === 'optional' ? ` (${optionalCertificate})` : '';
  const asks = `mutual TLS ${mutualSsl}${way}, application security ${applicationSecurity}`;
  const came = `certificate: ${certificate?.kind ?? 'none'}, token: ${token?.kind ?? 'none'}`;
  const is = decision.outcome === 'allow' ? passed : refused;
  return is('truth table', asks, `${came}: ${decision.outcome === 'allow' ? 'admitted' : decision.code}`);
}

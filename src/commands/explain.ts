import { readFileSync } from 'node:fs';
import { nearest } from '../config/problem.ts';
import { denials } from '../decision.ts';
import { disk } from '../documents/files.ts';
import { explain, meaningOf, withLimit } from '../explain/explanation.ts';
import { explanationText, loggedText, meaningText } from '../explain/text.ts';
import { toJson } from '../explain/to-json.ts';
import { jsonText } from '../observability/paper.ts';
import {
  type Command,
  configOf,
  configOption,
  type Exit,
  exit,
  say,
  UsageError,
  type Values,
} from './command.ts';
import { type Asked, askedFor } from './explain-request.ts';
import { type ForDecisions, loadForDecisions } from './load-for-decisions.ts';
import { print } from './output.ts';
import { terminal } from './terminal.ts';

const options = {
  ...configOption,
  cert: { type: 'string' },
  chain: { type: 'string', multiple: true },
  'password-file': { type: 'string' },
  api: { type: 'string' },
  url: { type: 'string' },
  method: { type: 'string' },
  token: { type: 'string' },
  header: { type: 'string', multiple: true },
  from: { type: 'string' },
  at: { type: 'string' },
  check: { type: 'string' },
  audit: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

export const explainDecision: Command = {
  usage: '--cert FILE --url URL | CODE',
  summary: 'say why a request is admitted or denied',
  help: `mtls-enforcer explain [--config FILE] --url URL | --api NAME:VERSION  [--method GET]
                      [--cert FILE] [--chain FILE]... [--password-file FILE]
                      [--token @FILE] [--header 'Name: value']... [--from ADDRESS]
                      [--at TIME] [--json]
mtls-enforcer explain [--config FILE] --check FILE [--at TIME] [--json]
mtls-enforcer explain [--config FILE] --audit FILE REQUEST-ID [--cert FILE] [--json]
mtls-enforcer explain CODE [--json]

Decides as "serve" would, by the same function, and prints the steps, where they ended, and what to
change to have the request admitted. Nothing is asked of a running service, and nothing is changed;
keys of token issuers and revocation data are fetched as "serve" fetches them.

  --cert      what the client has: PEM (a chain may follow, a key is not looked at), DER, PKCS#12 or JKS;
              it comes as the API wants it, over TLS or in the header of the trusted sender
  --url       with host and path, or a path alone (the host is localhost then)
  --api       its first operation, or all of it
  --token     an access token; @FILE keeps it out of the list of processes, @- is standard input
  --from      address of the direct TCP peer: client or load balancer
  --at        as 2026-06-01T12:00:00Z; now unless given
  --audit     a record of decisions (docs/audit.md): what it says of that request, and the request again,
              at its time, by the configuration as it is now; without its token, which is never logged
  --check     a captured CheckRequest: JSON, or the bytes on the wire; - is standard input

Prints no token and no header's value. Exits 0 where it is admitted, 1 where it is denied.

  mtls-enforcer explain --cert client.pem --url https://api.example.com/petstore/1.0.5/pet/1
  mtls-enforcer explain certificate_expired
`,
  options,
  takesPath: true,
  run: async (values, codes) => {
    if (codes.length > 0 && values.audit === undefined) return explainCode(codes, values);
    const read = (path: string): Uint8Array => (path === '-' ? readFileSync(0) : disk.bytes(path));
    const asked = askedFor(values, read, Date.now(), codes[0]);
    const loaded = await loadForDecisions(configOf(values), { needsKeys: asked.needsKeys });
    if (typeof loaded === 'number') return loaded;
    try {
      return await explainRequest(asked, loaded, values);
    } finally {
      await loaded.close();
    }
  },
};

async function explainRequest(
  { attributesIn, now, logged }: Asked,
  loaded: ForDecisions,
  values: Values,
): Promise<Exit> {
  const attributes = attributesIn(loaded.snapshot);
  const first = await explain(attributes, loaded.snapshot, now);
  // What is to be asked about a certificate is known once its path is.
  const last = (await loaded.fetchWanted()) ? await explain(attributes, loaded.snapshot, now) : first;
  const explanation = withLimit(last, loaded);
  await print(
    values.json
      ? toJson(explanation, logged)
      : (logged === undefined ? '' : loggedText(logged, terminal())) +
          explanationText(explanation, terminal()),
  );
  return explanation.decision.outcome === 'allow' ? exit.ok : exit.no;
}

function explainCode(codes: readonly string[], values: Values): Promise<Exit> {
  const [code = ''] = codes;
  const meaning = meaningOf(code);
  if (codes.length > 1 || meaning === undefined) {
    const near = nearest(code, Object.keys(denials));
    throw new UsageError(
      `no denial has the code ${JSON.stringify(code)}${near === undefined ? '' : `; did you mean ${near}?`}`,
    );
  }
  return say(values.json ? jsonText(meaning) : meaningText(meaning, terminal()));
}

import type { Attributes, Header } from '../attributes.ts';
import { parseNetwork } from '../client-certificate/senders.ts';
import { nearest } from '../config/problem.ts';
import { FileProblem } from '../documents/files.ts';
import { readClientFile } from '../explain/client-file.ts';
import { findLogged, type Logged, replayOf } from '../explain/logged.ts';
import { attributesOf, placeOf, type ToldRequest } from '../explain/request.ts';
import { CapturedError, readCheckJson } from '../ext-authz/check-json.ts';
import { readCheckRequest } from '../ext-authz/check-request.ts';
import type { Snapshot } from '../snapshot.ts';
import { InputError, UsageError, type Values } from './command.ts';

export type Asked = {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether there may be an access token. */
  readonly needsKeys: boolean;
  readonly attributesIn: (snapshot: Snapshot) => Attributes;
  /** What was logged of it, where it is a request of the past. */
  readonly logged?: Logged;
};

/** @throws FileProblem */
type Read = (path: string) => Uint8Array;

/**
 * What the options ask about.
 *
 * @throws UsageError
 */
export function askedFor(values: Values, read: Read, clock: number, reference?: string): Asked {
  const text = (name: string): string | undefined =>
    typeof values[name] === 'string' ? values[name] : undefined;
  const now = instantOf(text('at'), clock);
  const check = text('check');
  if (check !== undefined) {
    const others = ['cert', 'chain', 'api', 'url', 'method', 'token', 'header', 'from'].filter(
      (name) => values[name] !== undefined,
    );
    if (others.length > 0)
      throw new UsageError(`--check has all of the request: leave out --${others.join(', --')}`);
    const attributes = capturedIn(check, read);
    return { now, needsKeys: true, attributesIn: () => attributes };
  }
  const record = text('audit');
  if (record !== undefined) return loggedIn(record, reference, { values, read, at: text('at') && now });
  const [url, api] = [text('url'), text('api')];
  if ((url === undefined) === (api === undefined))
    throw new UsageError(
      "explain needs --url URL or --api NAME:VERSION, or --check FILE, or a denial's code",
    );
  const { ders, token, headers } = {
    ders: certificatesIn(values, read),
    token: tokenIn(text('token'), read),
    headers: list(values.header).map(headerOf),
  };
  const rest: Pick<ToldRequest, 'headers' | 'from' | 'certificate' | 'token'> = {
    headers,
    token,
    from: addressOf(text('from')),
    certificate: chainOf(ders),
  };
  return {
    now,
    needsKeys: token !== undefined || headers.length > 0,
    attributesIn: (snapshot) => {
      const place = url === undefined ? placeOfApi(api!, snapshot) : placeOfUrl(url);
      const method = text('method')?.toUpperCase() ?? place.method;
      return attributesOf({ ...rest, ...place, method }, snapshot, now);
    },
  };
}

const chainOf = ([leaf, ...intermediates]: readonly Uint8Array[]): ToldRequest['certificate'] =>
  leaf && { leaf, intermediates };

function loggedIn(
  path: string,
  reference: string | undefined,
  {
    values,
    read,
    at,
  }: { readonly values: Values; readonly read: Read; readonly at: number | '' | undefined },
): Asked {
  if (reference === undefined) throw new UsageError('--audit FILE needs a request id behind it');
  const record = Buffer.from(contentOf('audit', path, read)).toString('utf8');
  const logged = findLogged(record, reference);
  if (logged === undefined)
    throw new InputError(`--audit ${path} has no decision about ${JSON.stringify(reference)}`);
  const given = chainOf(certificatesIn(values, read));
  const now = at || Date.parse(logged.time ?? '');
  if (Number.isNaN(now)) throw new InputError(`--audit ${path} does not say when that was; add --at TIME`);
  return {
    now,
    needsKeys: false,
    logged,
    attributesIn: (snapshot) => {
      const told = replayOf(logged, snapshot, given);
      if (told === 'another')
        throw new InputError(
          `--cert is another certificate than that request came with (SHA-256 ${logged.sha256})`,
        );
      if (told === 'unknown')
        throw new InputError(
          `it came with a certificate (SHA-256 ${logged.sha256}) that is in no file here; add --cert FILE (logged: ${logged.outcome} ${logged.reason ?? ''} ${logged.detail ?? ''})`,
        );
      return attributesOf(told, snapshot, now);
    },
  };
}

const list = (value: Values[string]): readonly string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' ? [value] : [];

function addressOf(text: string | undefined): string | undefined {
  if (text !== undefined && (text.includes('/') || parseNetwork(text) === undefined))
    throw new UsageError(`--from is ${JSON.stringify(text)}; write an address as 192.0.2.7 or 2001:db8::7`);
  return text;
}

function instantOf(text: string | undefined, clock: number): number {
  if (text === undefined) return clock;
  const instant = Date.parse(text);
  if (Number.isNaN(instant) || !/^\d{4}-\d\d-\d\d/.test(text))
    throw new UsageError(`--at is ${JSON.stringify(text)}; write a time as 2026-06-01T12:00:00Z`);
  return instant;
}

function contentOf(option: string, path: string, read: Read): Uint8Array {
  try {
    return read(path);
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new InputError(`--${option} ${path} ${error.message}`);
  }
}

function certificatesIn(values: Values, read: Read): readonly Uint8Array[] {
  const passwordFile = values['password-file'];
  const password =
    typeof passwordFile === 'string' ? firstLine(contentOf('password-file', passwordFile, read)) : '';
  const from = (option: string, path: string): readonly Uint8Array[] => {
    const file = readClientFile(contentOf(option, path, read), password);
    if ('problem' in file) throw new InputError(`--${option} ${path} ${file.problem}`);
    return file.ders;
  };
  const chain = list(values.chain).flatMap((path) => from('chain', path));
  if (typeof values.cert === 'string') return [...from('cert', values.cert), ...chain];
  if (chain.length > 0) throw new UsageError('--chain needs --cert');
  return [];
}

const firstLine = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8').split(/\r?\n/, 1)[0]!;

function tokenIn(written: string | undefined, read: Read): string | undefined {
  const text = written?.startsWith('@') ? firstLine(contentOf('token', written.slice(1), read)) : written;
  return text?.trim().replace(/^bearer +/i, '');
}

function headerOf(line: string): Header {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/s.exec(line) ?? [];
  // Not quoted: it may be a secret.
  if (name === undefined || value === undefined)
    throw new UsageError("--header needs a name, a colon and a value, as in --header 'X-Tenant: a'");
  return [name.toLowerCase(), Buffer.from(value, 'utf8').toString('latin1')];
}

type Place = Pick<ToldRequest, 'method' | 'scheme' | 'host' | 'path'>;

/** Not as a URL class has it: it would mend the very path that is asked about. */
function placeOfUrl(url: string): Place {
  const [, scheme = 'https', authority = 'localhost', path] =
    /^(?:(https?):\/\/([^/?#]+))?((?:[/?][^#]*)?)(?:#.*)?$/i.exec(url) ?? [];
  if (path === undefined || url === '')
    throw new UsageError(`--url is no URL and no path; write https://api.example.com/orders, or /orders`);
  const target = path.startsWith('/') ? path : `/${path}`;
  return { method: 'GET', scheme: scheme.toLowerCase(), host: authority, path: target };
}

function placeOfApi(name: string, { apis }: Snapshot): Place {
  const named = apis.apis.filter((api) => `${api.name}:${api.version}` === name);
  const [found] = named;
  if (found === undefined) {
    const near = nearest(
      name,
      apis.apis.map((api) => `${api.name}:${api.version}`),
    );
    throw new InputError(
      `no API is called ${JSON.stringify(name)}; ${near === undefined ? 'write NAME:VERSION as config.toml has them' : `did you mean ${JSON.stringify(near)}?`}`,
    );
  }
  if (named.length > 1)
    throw new InputError(`${named.length} APIs are called ${JSON.stringify(name)}; say which by --url`);
  return { scheme: 'https', ...placeOf(found) };
}

function capturedIn(path: string, read: Read): Attributes {
  const bytes = Buffer.from(contentOf('check', path, read));
  try {
    if (/^\s*\{/.test(bytes.subarray(0, 64).toString('latin1'))) return readCheckJson(bytes.toString('utf8'));
  } catch (error) {
    if (!(error instanceof CapturedError)) throw error;
    throw new InputError(`--check ${path} ${error.message}`);
  }
  const attributes = readCheckRequest(withoutFrame(bytes));
  if (attributes === undefined || attributes.http.method === '')
    throw new InputError(`--check ${path} is no CheckRequest, neither as JSON nor as on the wire`);
  return attributes;
}

/** gRPC puts five octets before a message. */
const withoutFrame = (bytes: Buffer): Buffer =>
  bytes.length >= 5 && bytes[0] === 0 && bytes.readUInt32BE(1) === bytes.length - 5
    ? bytes.subarray(5)
    : bytes;

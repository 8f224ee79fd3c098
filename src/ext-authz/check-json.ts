import type { Attributes, Header } from '../attributes.ts';

/** What is wrong with a captured CheckRequest: names a member, never a value. */
export class CapturedError extends Error {
  override readonly name = 'CapturedError';
}

type Members = Readonly<Record<string, unknown>>;

/**
 * A CheckRequest as JSON, as grpcurl, protojson and Envoy's debug log write it: members in camelCase or as in the .proto;
 * the whole message, or its `attributes` alone. For whoever explains a captured request; the service reads the wire.
 *
 * @throws CapturedError
 */
export function readCheckJson(text: string): Attributes {
  const whole = parsed(text);
  const attributes = memberOf(whole, 'attributes') ?? whole;
  const source = memberOf(attributes, 'source') ?? {};
  const http = memberOf(memberOf(attributes, 'request') ?? {}, 'http');
  if (http === undefined) throw new CapturedError('has no attributes.request.http: it is no CheckRequest');
  const socket = memberOf(memberOf(source, 'address') ?? {}, 'socketAddress') ?? {};
  const raw = memberOf(http, 'headerMap');
  const extensions = Object.entries(memberOf(attributes, 'contextExtensions') ?? {});
  return {
    source: { address: textOf(socket, 'address') || undefined, certificate: textOf(source, 'certificate') },
    http: {
      method: textOf(http, 'method'),
      path: textOf(http, 'path'),
      host: textOf(http, 'host'),
      scheme: textOf(http, 'scheme'),
      protocol: textOf(http, 'protocol'),
      headers: raw === undefined ? joinedHeaders(memberOf(http, 'headers') ?? {}) : rawHeaders(raw),
      headersAreRaw: raw !== undefined,
    },
    contextExtensions: new Map(
      extensions.map(([key, value]) => [key, stringAt(value, `contextExtensions.${key}`)]),
    ),
  };
}

function parsed(text: string): Members {
  try {
    return objectOf(JSON.parse(text), 'the whole');
  } catch (error) {
    if (error instanceof CapturedError) throw error;
    throw new CapturedError('is no JSON');
  }
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const memberAt = (members: Members, name: string): unknown =>
  members[name] ?? members[snake(name)] ?? undefined;

function memberOf(members: Members, name: string): Members | undefined {
  const value = memberAt(members, name);
  return value === undefined ? undefined : objectOf(value, name);
}

function objectOf(value: unknown, name: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new CapturedError(`has ${name} that is no object`);
  return value as Members;
}

const textOf = (members: Members, name: string): string => stringAt(memberAt(members, name) ?? '', name);

function stringAt(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new CapturedError(`has ${name} that is no text`);
  return value;
}

const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const joinedHeaders = (headers: Members): readonly Header[] =>
  Object.entries(headers).map(([name, value]) => [
    name.toLowerCase(),
    bytesOf(stringAt(value, `headers.${name}`)),
  ]);

function rawHeaders(map: Members): readonly Header[] {
  const headers = memberAt(map, 'headers') ?? [];
  if (!Array.isArray(headers)) throw new CapturedError('has headerMap.headers that is no list');
  return headers.map((header: unknown): Header => {
    const members = objectOf(header, 'a header');
    // As JSON has bytes: base64.
    const raw = Buffer.from(textOf(members, 'rawValue'), 'base64').toString('latin1');
    return [textOf(members, 'key').toLowerCase(), raw || bytesOf(textOf(members, 'value'))];
  });
}

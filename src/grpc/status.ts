/** How a call ended (gRPC's status codes; those that this server or a method of it gives). */
export const codes = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;
type Code = (typeof codes)[keyof typeof codes];

export type Status = { readonly code: Code; readonly message: string };

export const status = (name: keyof typeof codes, message = ''): Status => ({ code: codes[name], message });

/** Percent-encoded as gRPC over HTTP/2 wants `grpc-message`: all but printable ASCII, and `%` itself. */
export const encodeMessage = (message: string): string =>
  message.replace(/[^ -$&-~]+/g, (text) =>
    [...Buffer.from(text, 'utf8')]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { MessageReader } from './message.ts';
import { codes, encodeMessage, type Status, status } from './status.ts';
import { readTimeout } from './timeout.ts';

/** What a method answers: its message with the prefix before it (`frame`), or why there is none. */
export type Reply = Buffer | Status;

type UnaryMethod = {
  readonly kind: 'unary';
  /** @param startedAt when the call's headers came: milliseconds of `performance.now()`, where somebody measures it */
  readonly handle: (message: Buffer, startedAt?: number) => Reply | Promise<Reply>;
};
export type Method =
  | UnaryMethod
  | {
      readonly kind: 'server-stream';
      /** @returns what ends with the call; or why there is no stream */
      readonly handle: (message: Buffer, send: (framed: Buffer) => void) => (() => void) | Status;
    };

/** What a call may take, and whom it tells. */
export type CallOptions = {
  readonly methods: ReadonlyMap<string, Method>;
  readonly maxMessageBytes: number;
  /** No call is taken, and this is why. */
  readonly refusal?: Status;
  /** A fault of ours in a method; the caller got INTERNAL. */
  readonly onError: (error: Error) => void;
};

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc' };
/** As a list, which node:http2 does not copy. */
const responseHeaderList = Object.entries(responseHeaders).flat().map(String);
const withTrailers = { waitForTrailers: true, sendDate: false };
const trailersOnly = { endStream: true, sendDate: false };
const okTrailers = { 'grpc-status': '0' };
function sendOk(this: ServerHttp2Stream): void {
  this.sendTrailers(okTrailers);
}
// What the stream does is over with it; its session tells of its own errors.
const ignore = (): void => {};

/**
 * One call on one HTTP/2 stream, from its headers to its status. It ends by its answer, by its caller, or by `expire`,
 * whichever comes first; after that nothing that a method says is sent.
 */
export class Call {
  /** Among the calls in hand: theirs to set. */
  place = 0;
  readonly #stream: ServerHttp2Stream;
  readonly #options: CallOptions;
  /** Milliseconds of the process's own clock. Infinity: the caller waits as long as it takes. */
  readonly #deadline: number;
  readonly #startedAt: number;
  #state: 'receiving' | 'answering' | 'answered' = 'receiving';
  #timer: NodeJS.Timeout | undefined;
  #stop: (() => void) | undefined;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: CallOptions, now: number) {
    this.#stream = stream;
    this.#options = options;
    this.#startedAt = now;
    stream.on('error', ignore);
    const timeout = readTimeout(headers['grpc-timeout']);
    this.#deadline = now + (timeout ?? Infinity);
    const method = methodOf(headers, options.methods);
    if ('httpStatus' in method) this.#refuse(method);
    else if ('code' in method) this.#fail(method);
    else if (options.refusal !== undefined) this.#fail(options.refusal);
    else if (Number.isNaN(timeout)) this.#fail(status('internal', 'a grpc-timeout that is none'));
    else this.#receive(method, headers['grpc-encoding'], now);
  }

  get stream(): ServerHttp2Stream {
    return this.#stream;
  }

  /** Ends what its caller no longer waits for, sends too slowly, or does not fetch. */
  expire(now: number, patience: number): void {
    const isLate = now - this.#startedAt >= patience;
    if (this.#state === 'answered') {
      if (!isLate) return;
      this.#stream.close(constants.NGHTTP2_CANCEL);
      // Where not even this goes out, for nobody reads the connection or HTTP/2 broke off on it, it would stay for ever.
      this.#stream.destroy();
    } else if (this.#stop !== undefined && this.#stream.session?.closed) {
      // Its caller said that it goes (GOAWAY). Where HTTP/2 breaks off after that, node never sees that it went.
      this.end();
    } else if (now >= this.#deadline) {
      this.#tooLate();
    } else if (this.#state === 'receiving' && isLate) {
      this.#fail(status('deadlineExceeded', 'the message did not come in time'));
    }
  }

  /** The stream is closed. */
  closed(): void {
    this.#state = 'answered';
    clearTimeout(this.#timer);
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Ends an open stream of answers: the server or its caller goes. */
  end(): void {
    if (this.#stop !== undefined) this.#fail(status('unavailable', 'the connection is closing'));
  }

  #receive(method: Method, encoding: string | readonly string[] | undefined, now: number): void {
    const reader = new MessageReader(
      this.#options.maxMessageBytes,
      typeof encoding === 'string' ? encoding : undefined,
    );
    this.#stream.on('data', (chunk: Buffer) => {
      // What comes after the message is told by its answer, or is of no account.
      if (this.#state !== 'receiving') return;
      const message = reader.add(chunk);
      if (message === undefined) return;
      if (Buffer.isBuffer(message)) this.#run(method, message, now);
      else this.#fail(message);
    });
    this.#stream.on('end', () => {
      if (this.#state === 'receiving')
        this.#fail(status('internal', reader.hasBegun ? 'the message is cut off' : 'there is no message'));
    });
  }

  #run(method: Method, message: Buffer, now: number): void {
    this.#state = 'answering';
    try {
      if (method.kind === 'server-stream') this.#open(method.handle(message, (framed) => this.#send(framed)));
      else this.#reply(method, message, now);
    } catch (error) {
      this.#broken(error);
    }
  }

  #reply(method: UnaryMethod, message: Buffer, now: number): void {
    const reply = method.handle(message, this.#startedAt);
    if (Buffer.isBuffer(reply)) {
      this.#answer(reply);
    } else if ('code' in reply) {
      this.#fail(reply);
    } else {
      // Only who waits for something can be late.
      if (this.#deadline !== Infinity)
        this.#timer = setTimeout(() => this.#tooLate(), Math.max(0, this.#deadline - now));
      reply.then(
        (framed) => (Buffer.isBuffer(framed) ? this.#answer(framed) : this.#fail(framed)),
        (error: unknown) => this.#broken(error),
      );
    }
  }

  #answer(framed: Buffer): void {
    if (!this.#begin()) return;
    this.#stream.respond(responseHeaderList, withTrailers);
    this.#stream.on('wantTrailers', sendOk);
    this.#stream.end(framed);
  }

  #open(stop: (() => void) | Status): void {
    if (typeof stop !== 'function') this.#fail(stop);
    // Its caller may have gone while it was opened.
    else if (this.#stream.destroyed) stop();
    else this.#stop = stop;
  }

  #send(framed: Buffer): void {
    if (this.#state === 'answered' || this.#stream.destroyed) return;
    if (!this.#stream.headersSent) this.#stream.respond(responseHeaderList, withTrailers);
    this.#stream.write(framed);
  }

  /** A status without a message: trailers only, or where a stream of answers has begun, its trailers. */
  #fail({ code, message }: Status): void {
    const wasSent = this.#stream.headersSent;
    if (!this.#begin()) return;
    const trailers = {
      'grpc-status': String(code),
      ...(message !== '' && { 'grpc-message': encodeMessage(message) }),
    };
    if (wasSent) {
      this.#stream.on('wantTrailers', () => this.#stream.sendTrailers(trailers));
      this.#stream.end();
      return;
    }
    const accepts = code === codes.unimplemented && { 'grpc-accept-encoding': 'identity' };
    this.#stream.respond({ ...responseHeaders, ...accepts, ...trailers }, trailersOnly);
    this.#drop();
  }

  #refuse({ httpStatus, header }: HttpRefusal): void {
    if (!this.#begin()) return;
    this.#stream.respond({ ':status': httpStatus, 'content-type': 'text/plain', ...header });
    this.#stream.end('This is a gRPC server.\n');
  }

  /** What the caller still sends is not wanted (RFC 9113 8.1). */
  #drop(): void {
    this.#stream.resume();
    this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #tooLate(): void {
    this.#fail(status('deadlineExceeded', 'the deadline has passed'));
  }

  #broken(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    this.#fail(status('internal', 'a fault in the server'));
  }

  /** Whether an answer can still be given; there is one. */
  #begin(): boolean {
    if (this.#state === 'answered' || this.#stream.destroyed || this.#stream.closed) return false;
    this.#state = 'answered';
    clearTimeout(this.#timer);
    this.#stop?.();
    this.#stop = undefined;
    return true;
  }
}

/** What is no gRPC at all is answered as HTTP. */
type HttpRefusal = { readonly httpStatus: number; readonly header: Readonly<Record<string, string>> };

function methodOf(
  headers: IncomingHttpHeaders,
  methods: ReadonlyMap<string, Method>,
): Method | Status | HttpRefusal {
  if (headers[':method'] !== 'POST') return { httpStatus: 405, header: { allow: 'POST' } };
  if (!isGrpc(headers['content-type']))
    return { httpStatus: 415, header: { 'accept-post': 'application/grpc' } };
  const path = headers[':path'] ?? '';
  return methods.get(path) ?? status('unimplemented', `there is no method ${path.slice(0, 200)}`);
}

/** `application/grpc`, with or without what follows it: `+proto`, `;charset=…`. */
function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined || !contentType.startsWith('application/grpc')) return false;
  const next = contentType[16];
  return next === undefined || next === '+' || next === ';';
}

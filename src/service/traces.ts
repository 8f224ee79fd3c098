import { randomBytes } from 'node:crypto';
import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Attributes } from '../attributes.ts';
import type { Decision } from '../decision.ts';
import { boundInterim, readPieces } from '../feeds/crumbs.ts';
import type { Decided } from '../observability/audit.ts';
import { counter, type Family } from '../observability/exposition.ts';
import { attributesOf, decisionSpan, type Span } from '../observability/span.ts';
import type { TraceSettings } from '../observability/trace-settings.ts';
import '../server-certificate.ts';

type TracesOptions = TraceSettings & {
  readonly version: string;
  /** Told when spans can't be sent, once until they can again, and then without a reason. */
  readonly tell: (trouble: string | undefined) => void;
};

/** Spans that wait; some 2 MB. */
const maxWaiting = 2_048;
/** To write so many takes less than a millisecond, which a Check may wait for. */
const perBatch = 128;
/** Milliseconds that a span waits for others, and that all have at the end. */
const pause = 1_000;
const endsWithin = 2_000;
/** Bytes of an answer that are read; nobody needs them. */
const maxAnswer = 65_536;

/**
 * Spans of the decisions whose trace somebody records, sent to a receiver of OTLP over HTTP. JSON, which each of them
 * takes: that is a POST of Node's own, where OpenTelemetry's exporter would bring twelve packages into this process.
 * What is not taken is counted and forgotten.
 */
export class Traces {
  readonly #options: TracesOptions;
  readonly #frame: { readonly resource: object; readonly scope: object };
  #waiting: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #request: ClientRequest | undefined;
  #isInTrouble = false;
  #isClosed = false;
  readonly #counts = { sent: 0, dropped: 0, failed: 0 };

  constructor(options: TracesOptions) {
    const { version, resource } = options;
    this.#options = options;
    this.#frame = {
      resource: { attributes: attributesOf({ 'service.version': version, ...resource }) },
      scope: { name: 'mtls-enforcer', version },
    };
  }

  decided(attributes: Attributes, decision: Decision, decided: Decided): void {
    const { trace } = decided;
    if (trace === undefined) return;
    if (this.#waiting.length >= maxWaiting || this.#isClosed) {
      this.#counts.dropped++;
      return;
    }
    const spanId = randomBytes(8).toString('hex');
    this.#waiting.push(decisionSpan(attributes, decision, decided, { ...trace, spanId }));
    if (this.#waiting.length >= perBatch) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), pause);
  }

  /** Sends what waits, as far as that is soon done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const timer = setTimeout(() => {
      this.#counts.dropped += this.#waiting.length;
      this.#waiting = [];
      this.#request?.destroy(new Error('the service ends'));
    }, endsWithin);
    this.#send();
    await this.#sending;
    clearTimeout(timer);
  }

  get families(): readonly Family[] {
    return [
      counter(
        'mtls_enforcer_spans_total',
        'Spans of decisions whose trace is recorded; dropped: too many waited; failed: the receiver did not take them.',
        () => Object.entries(this.#counts).map(([outcome, value]) => ({ labels: { outcome }, value })),
      ),
    ];
  }

  /** One batch at a time. */
  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, perBatch);
      // Node throws where headers of the environment don't go together.
      const trouble = await this.#post(batch).catch(reasonOf);
      this.#counts[trouble === undefined ? 'sent' : 'failed'] += batch.length;
      const isNews = (trouble !== undefined) !== this.#isInTrouble;
      this.#isInTrouble = trouble !== undefined;
      if (isNews) this.#options.tell(trouble);
    }
  }

  /** @returns what went wrong; never a word of the answer, which may say anything */
  #post(spans: readonly Span[]): Promise<string | undefined> {
    const { url, headers, timeout } = this.#options;
    const { resource, scope } = this.#frame;
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] });
    return new Promise((resolve) => {
      const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
        signal: AbortSignal.timeout(timeout),
      });
      this.#request = request;
      request.on('error', (error) =>
        resolve(isLate(error) ? `no answer within ${timeout} ms` : reasonOf(error)),
      );
      boundInterim(request);
      // Without a listener, a 101 ends in `close` alone: neither an error nor a response.
      request.on('upgrade', (_, socket) => {
        socket.destroy();
        resolve('HTTP 101');
      });
      request.on('response', (response) => {
        const { statusCode = 0 } = response;
        let read = 0;
        readPieces(response, (piece) => {
          read += piece.length;
          if (read > maxAnswer) response.destroy();
        });
        // Told by its end.
        response.on('error', () => {});
        response.on('close', () => resolve(statusCode === 200 ? undefined : `HTTP ${statusCode}`));
      });
      request.end(body);
    });
  }
}

const isLate = ({ name }: Error): boolean => name === 'AbortError' || name === 'TimeoutError';

/** A code where there is one: it quotes no header. */
const reasonOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message;

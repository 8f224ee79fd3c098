import type { Method } from './call.ts';
import { frame } from './message.ts';
import { status } from './status.ts';

/** grpc.health.v1.Health: whether services are served, for whoever asks and whoever keeps listening. */
type Health = {
  readonly methods: ReadonlyMap<string, Method>;
  readonly setServing: (serving: boolean) => void;
};

// HealthCheckResponse { status = 1 }: SERVING is 1, NOT_SERVING 2, and, for Watch only, SERVICE_UNKNOWN 3.
const answers = {
  serving: frame(Uint8Array.of(8, 1)),
  notServing: frame(Uint8Array.of(8, 2)),
  unknown: frame(Uint8Array.of(8, 3)),
};

/** @param services what is served beside '', the server as a whole */
export function createHealth(services: readonly string[]): Health {
  const known = new Set(['', ...services]);
  const watching = new Set<(framed: Buffer) => void>();
  let current = answers.notServing;
  const methods = new Map<string, Method>([
    [
      '/grpc.health.v1.Health/Check',
      {
        kind: 'unary',
        handle: (message) => {
          const service = readService(message);
          if (service === undefined) return status('internal', 'no HealthCheckRequest');
          return known.has(service) ? current : status('notFound', 'unknown service');
        },
      },
    ],
    [
      '/grpc.health.v1.Health/Watch',
      {
        kind: 'server-stream',
        handle: (message, send) => {
          const service = readService(message);
          if (service === undefined) return status('internal', 'no HealthCheckRequest');
          const isKnown = known.has(service);
          send(isKnown ? current : answers.unknown);
          if (isKnown) watching.add(send);
          return () => void watching.delete(send);
        },
      },
    ],
  ]);
  return {
    methods,
    setServing: (serving) => {
      const next = serving ? answers.serving : answers.notServing;
      if (next === current) return;
      current = next;
      for (const send of watching) send(current);
    },
  };
}

/** HealthCheckRequest { service = 1 }. @returns undefined: it is none */
function readService(message: Buffer): string | undefined {
  if (message.length === 0) return '';
  // A name is short: one byte of length, and nothing else in the message.
  if (message[0] !== 0x0a || message[1] === undefined || message[1] > 127) return undefined;
  return message.length === 2 + message[1] ? message.toString('utf8', 2) : undefined;
}

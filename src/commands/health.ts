import { problemLine } from '../config/problem.ts';
import type { Listener } from '../ext-authz/server.ts';
import {
  askedWhere,
  type Command,
  configOf,
  configOption,
  exit,
  say,
  UsageError,
  type Values,
} from './command.ts';
import { tellLines } from './output.ts';

export const health: Command = {
  usage: '[--config FILE]',
  summary: 'ask the running service whether it serves',
  help: `mtls-enforcer health [--config FILE | --socket PATH | --address HOST:PORT]

Asks the running service, over gRPC as Envoy does, whether it serves; for a container's health check. Exits 0 if so,
69 if not. Where the service listens is read from the configuration, as far as it can be read: a file that is broken by
now says nothing about a service that runs with what it said before. --socket and --address need no file.
Of several workers one that serves is enough; the others' trouble is told.
Where the service asks for a client certificate (clientCaPath), it is shown Envoy's, of [router.enforcer] certPath and
keyPath, or, without these, its own. Or give the service a socket as well: that is asked then.

  mtls-enforcer health --config /etc/mtls-enforcer/config.toml
`,
  options: { ...configOption, socket: { type: 'string' }, address: { type: 'string' } },
  run: async (values) => {
    const { askHealth, askedAt, nobodyAnswers } = await import('../ext-authz/health-client.ts');
    const given = givenListener(values);
    const { listeners, problems, envoys } =
      given === undefined
        ? await configuredListeners(values)
        : { listeners: [given], problems: [], envoys: undefined };
    tellLines(...problems.map((problem) => `warning: ${problemLine(problem)}`));
    if (problems.length > 0)
      tellLines(
        `warning: the service may run all the same, where the file said before; asked at ${listeners.map(askedAt).join(', ')}, by what is left of it and defaults (--address or --socket asks elsewhere)`,
      );
    const asked = listeners.map((listener) => askHealth(listener, 2000, envoys));
    const troubles = (await Promise.all(asked)).filter((trouble) => trouble !== undefined);
    tellLines(...troubles.map((trouble) => `mtls-enforcer: ${trouble}`));
    const isServing = troubles.length < asked.length;
    const isElsewhere = !isServing || troubles.some((trouble) => trouble.endsWith(nobodyAnswers));
    if (isElsewhere && given === undefined && problems.length === 0) tellLines(askedWhere(values));
    return isServing ? say('SERVING\n') : exit.unavailable;
  },
};

/** @throws UsageError */
function givenListener({ socket, address }: Values): Listener | undefined {
  if (socket !== undefined && address !== undefined)
    throw new UsageError('--socket and --address exclude each other; give one of them');
  if (socket === '') throw new UsageError('--socket needs a path, for example /run/mtls-enforcer/authz.sock');
  if (typeof socket === 'string') return { socket };
  if (address === undefined) return undefined;
  const [, bracketed, plain, digits] = /^(?:\[(.+)\]|([^:]+)):([1-9]\d{0,4})$/.exec(String(address)) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(digits) > 65_535)
    throw new UsageError('--address needs HOST:PORT, for example 127.0.0.1:8081');
  return { address: host, port: Number(digits), tls: undefined };
}

async function configuredListeners(values: Values) {
  const { listenersOf } = await import('../service/listeners.ts');
  const { serviceOfWorker } = await import('../provision/service.ts');
  const { readServiceAddress } = await import('../provision/service-address.ts');
  const { service, workers, problems, envoys } = readServiceAddress(configOf(values), process.env);
  const listeners = Array.from(
    { length: workers },
    (_, i) => listenersOf(serviceOfWorker(service, i + 1)).at(-1)!, // the socket, where there is one
  );
  return { listeners, problems, envoys };
}

import { problemLine } from '../config/problem.ts';
import type { Listener } from '../ext-authz/server.ts';
import { type Command, configOf, configOption, exit, say, UsageError, type Values } from './command.ts';
import { tellLines } from './output.ts';

export const health: Command = {
  usage: '[--config FILE]',
  summary: 'ask the running service whether it serves',
  help: `mtls-enforcer health [--config FILE | --socket PATH | --address HOST:PORT]

Asks the running service, over gRPC as Envoy does, whether it serves; for a container's health check. Exits 0 if so,
69 if not. Where the service listens is read from the configuration, as far as it can be read: a file that is broken by
now says nothing about a service that runs with what it said before. --socket and --address need no file.
Of several workers one that serves is enough; the others' trouble is told.
Where mutual TLS is configured, give the service a socket as well: that is asked then.

  mtls-enforcer health --config /etc/mtls-enforcer/config.toml
`,
  options: { ...configOption, socket: { type: 'string' }, address: { type: 'string' } },
  run: async (values) => {
    const listeners = await listenersToAsk(values);
    const { askHealth } = await import('../ext-authz/health-client.ts');
    const asked = listeners.map((listener) => askHealth(listener, 2000));
    const troubles = (await Promise.all(asked)).filter((trouble) => trouble !== undefined);
    tellLines(...troubles.map((trouble) => `mtls-enforcer: ${trouble}`));
    return troubles.length === asked.length ? exit.unavailable : say('SERVING\n');
  },
};

async function listenersToAsk(values: Values): Promise<readonly Listener[]> {
  const { socket, address } = values;
  if (typeof socket === 'string') return [{ socket }];
  if (typeof address === 'string') {
    const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(address);
    if (match === null) throw new UsageError('--address needs HOST:PORT, for example 127.0.0.1:8081');
    return [{ address: match[1] ?? match[2]!, port: Number(match[3]), tls: undefined }];
  }
  const { listenersOf } = await import('../service/listeners.ts');
  const { serviceOfWorker } = await import('../provision/service.ts');
  const { readServiceAddress } = await import('../provision/service-address.ts');
  const { service, workers, problems } = readServiceAddress(configOf(values), process.env);
  const listeners = Array.from(
    { length: workers },
    (_, i) => listenersOf(serviceOfWorker(service, i + 1)).at(-1)!, // the socket, where there is one
  );
  tellLines(...problems.map((problem) => `warning: ${problemLine(problem)}`));
  if (problems.length > 0) {
    const [listener] = listeners as [Listener];
    const where = 'socket' in listener ? listener.socket : `${listener.address}:${listener.port}`;
    tellLines(`warning: the service may run all the same, with what the file said before; asked at ${where}`);
  }
  return listeners;
}

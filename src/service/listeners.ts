import type { Listener } from '../ext-authz/server.ts';
import type { ServiceSettings } from '../provision/service.ts';

/** Where the service listens, or is to be asked. */
export const listenersOf = ({ tcp, socket }: ServiceSettings): readonly Listener[] => [
  ...(tcp ? [tcp] : []),
  ...(socket === undefined ? [] : [{ socket }]),
];

import type { ServiceSettings } from '../provision/service.ts';

/** Why the service can't listen, and what to look at. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

type ListenTrouble = { readonly key: 'port' | 'address' | 'socket'; readonly message: string };

export function listenTrouble(error: NodeJS.ErrnoException, { tcp, socket }: ServiceSettings): ListenTrouble {
  const { code, syscall, message } = error;
  const isSocket = (error as { readonly address?: string }).address === socket || tcp === undefined;
  if (isSocket && socket !== undefined) {
    if (code === 'EACCES' || code === 'EPERM')
      return {
        key: 'socket',
        message: `this user may not make the socket ${socket}; give it write permission to the folder, or write another path`,
      };
    return { key: 'socket', message: code === undefined ? message : `can't listen: ${message}` };
  }
  const at = `${tcp?.address}:${tcp?.port}`;
  if (code === 'EADDRINUSE')
    return {
      key: 'port',
      message: `another process listens on ${at} already; stop it, or write another port`,
    };
  if (code === 'EACCES')
    return { key: 'port', message: `this user may not listen on ${at}; write a port of 1024 or more` };
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo')
    return {
      key: 'address',
      message: `this machine has no address ${tcp?.address}; write one that it has, or 127.0.0.1`,
    };
  return { key: 'port', message: `can't listen on ${at}: ${message}` };
}

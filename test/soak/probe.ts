// Preloaded into the enforcer (NODE_OPTIONS): tells what it holds, once its garbage is gone, to whoever connects.
import { subscribe } from 'node:diagnostics_channel';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

/** What a process holds. Sizes in bytes. */
export type Held = {
  readonly heap: number;
  /** Buffers and whatever else is outside of the heap. */
  readonly external: number;
  readonly rss: number;
  readonly descriptors: number;
  readonly handles: number;
};

if (isMainThread && process.argv.includes('serve')) {
  createServer((socket) => {
    // What the first time finds unreachable, finalizers may have held until then.
    for (let i = 0; i < 2; i++) globalThis.gc!();
    const { heapUsed, external, rss } = process.memoryUsage();
    const held: Held = {
      heap: heapUsed,
      external,
      rss,
      descriptors: readdirSync('/proc/self/fd').length,
      handles: process.getActiveResourcesInfo().length,
    };
    socket.on('error', () => {}).end(JSON.stringify(held));
  })
    .listen(process.env.SOAK_PROBE)
    .unref();
  // To show that a leak is seen: so many bytes a request, for good.
  const leak = Number(process.env.SOAK_LEAK ?? 0);
  const leaked: unknown[] = [];
  if (leak > 0) subscribe('http2.server.stream.start', () => leaked.push(new Array(leak / 8).fill(0)));
}

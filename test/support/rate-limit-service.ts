import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';

/** envoyproxy/ratelimit, and the Redis in which it counts. */
export type RateLimitService = {
  /** `host:port` of its page for Prometheus. */
  readonly metrics: string;
  /** Gives it another configuration, and waits until it counts by that. */
  configure(yaml: string): Promise<void>;
  /** Takes connections and says nothing, until it goes on. */
  hang(): void;
  goOn(): void;
  killRedis(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
};

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket
      .once('error', () => resolve(false))
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      });
  });

/** @param port where it is to listen for Envoy */
export async function startRateLimitService(
  {
    env,
    ...programs
  }: { readonly service: string; readonly redis: string; readonly env?: NodeJS.ProcessEnv },
  port: number,
  yaml: string,
): Promise<RateLimitService> {
  const folder = mkdtempSync(join(tmpdir(), 'rate-limit-'));
  const configFolder = join(folder, 'mtls', 'config');
  mkdirSync(configFolder, { recursive: true });
  const write = (text: string): void => writeFileSync(join(configFolder, 'mtls-enforcer.yaml'), text);
  write(yaml);
  const [redisPort, httpPort, debugPort] = [await freePort(), await freePort(), await freePort()];
  const metrics = `127.0.0.1:${await freePort()}`;
  const redis = new Child('redis', [
    programs.redis,
    '--port',
    String(redisPort),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    folder,
  ]);
  await redis.line(/Ready to accept connections/);
  const service = new Child('ratelimit', [programs.service], {
    env: {
      PATH: process.env.PATH,
      ...{ USE_STATSD: 'false', USE_PROMETHEUS: 'true', PROMETHEUS_ADDR: metrics },
      LOG_LEVEL: 'info',
      REDIS_SOCKET_TYPE: 'tcp',
      REDIS_URL: `127.0.0.1:${redisPort}`,
      RUNTIME_ROOT: folder,
      RUNTIME_SUBDIRECTORY: 'mtls',
      RUNTIME_WATCH_ROOT: 'false',
      ...{ HOST: '127.0.0.1', GRPC_HOST: '127.0.0.1', DEBUG_HOST: '127.0.0.1' },
      ...env,
      ...{ PORT: String(httpPort), GRPC_PORT: String(port), DEBUG_PORT: String(debugPort) },
    },
  });
  const end = async (child: Child): Promise<void> => {
    child.kill('SIGKILL');
    await child.exited;
  };
  const stop = async (): Promise<void> => {
    await end(service);
    await end(redis);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await service.line(/Listening for gRPC/);
    // It says so before it does.
    while (!(await isListening(port))) if (!service.running) throw new Error(service.tail());
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    metrics,
    configure: async (text) => {
      const from = service.lines.length;
      write(text);
      await service.line(/Successfully loaded new configuration/, from);
    },
    hang: () => service.kill('SIGSTOP'),
    goOn: () => service.kill('SIGCONT'),
    killRedis: () => end(redis),
    kill: () => end(service),
    stop,
  };
}

import type { Log } from '../observability/log.ts';
import { traceSettings } from '../observability/trace-settings.ts';
import type { Traces } from './traces.ts';

/** Where the environment asks for them, and only there is it loaded. */
export async function openTraces(
  { env, version }: { readonly env: Readonly<Record<string, string | undefined>>; readonly version: string },
  log: () => Log,
): Promise<Traces | undefined> {
  const settings = traceSettings(env);
  if (settings === undefined) return undefined;
  if ('problem' in settings) {
    log().error('no traces are sent', { reason: settings.problem });
    return undefined;
  }
  const to = settings.ok.url.origin;
  const { Traces } = await import('./traces.ts');
  log().info('traces', { to });
  return new Traces({
    ...settings.ok,
    version,
    tell: (trouble) => {
      if (trouble === undefined) log().info('traces are taken again', { to });
      else log().warn('traces are not taken, and lost meanwhile', { to, reason: trouble });
    },
  });
}

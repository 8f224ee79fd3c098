import type { Configuration, InForce } from './configuration.ts';
import { openControl } from './control-socket.ts';
import { ListenError } from './listen-trouble.ts';
import type { Shadow } from './shadow.ts';

/**
 * Where `reload` and `status` ask, if anywhere.
 *
 * @returns how to end it
 * @throws ListenError
 */
export async function control(
  { service, text }: InForce,
  { file, version }: { readonly file: string; readonly version: string },
  configuration: Configuration,
  shadow: Pick<Shadow, 'reload'>,
): Promise<(() => Promise<void>) | undefined> {
  if (service.control === undefined) return undefined;
  try {
    return await openControl(service.control, async (asked) => {
      if (asked === 'reload') {
        configuration.reload();
        shadow.reload();
        await configuration.settled();
      }
      return { pid: process.pid, version, ...configuration.state };
    });
  } catch (error) {
    const line = text.lineOf(['enforcer', 'authService', 'control']);
    const { message } = error as Error;
    throw new ListenError(`${file}:${line}: enforcer.authService.control: ${message}`, { cause: error });
  }
}

import { execFile } from 'node:child_process';

type SystemdOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told once if systemd can't be told anything. */
  readonly onTrouble: (message: string) => void;
};

/** Milliseconds: systemd itself may be busy, and what it has not heard by then is told again or does no harm. */
const patience = 10_000;

/**
 * Tells systemd how it goes (sd_notify(3)), where it asks for that (`Type=notify`). By its own program: Node has no
 * datagram sockets of unix. It waits until systemd has read the message, which else could not tell whose it was.
 */
export class Systemd {
  readonly #env: SystemdOptions['env'];
  readonly #onTrouble: SystemdOptions['onTrouble'];
  readonly #isWanted: boolean;
  /** One after the other: what is told last must be read last. */
  #told: Promise<void> = Promise.resolve();
  #isTelling = false;
  #isInTrouble = false;
  #pulse: NodeJS.Timeout | undefined;

  constructor({ env, onTrouble }: SystemdOptions) {
    this.#env = env;
    this.#onTrouble = onTrouble;
    this.#isWanted = !!env.NOTIFY_SOCKET;
  }

  /** A configuration is in force. From now on systemd hears that this event loop turns, if it wants to. */
  ready(): void {
    if (!this.#isWanted || this.#pulse !== undefined) return;
    this.#tell('READY=1');
    const within = watchdogMilliseconds(this.#env);
    if (within === undefined) return;
    // Half of it, as sd_watchdog_enabled(3) has it.
    this.#pulse = setInterval(() => {
      // One that waits says it as well.
      if (!this.#isTelling) this.#tell('WATCHDOG=1');
    }, within / 2).unref();
  }

  stopping(): void {
    // The pulse goes on: one that hangs while it ends has to be killed, too.
    if (this.#isWanted) this.#tell('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#pulse);
  }

  #tell(state: string): void {
    this.#told = this.#told.then(async () => {
      this.#isTelling = true;
      const error = await run(['--', state], this.#env);
      this.#isTelling = false;
      if (error === undefined || this.#isInTrouble) return;
      this.#isInTrouble = true;
      this.#onTrouble(
        `systemd could not be told ${state}: ${error.message.trim().replaceAll('\n', ': ')}; it needs the program systemd-notify and NotifyAccess=all (or write Type=exec and no WatchdogSec)`,
      );
    });
  }
}

/** How long systemd waits for a sign of life; undefined: it does not, or not from this process. */
export function watchdogMilliseconds(env: SystemdOptions['env']): number | undefined {
  const { WATCHDOG_USEC, NOTIFY_SOCKET } = env;
  const microseconds = Number(WATCHDOG_USEC);
  if (!NOTIFY_SOCKET || !Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined;
  return microseconds / 1000;
}

const run = (args: readonly string[], env: SystemdOptions['env']): Promise<Error | undefined> =>
  new Promise((resolve) => {
    execFile(
      'systemd-notify',
      args,
      { env: { PATH: env.PATH, NOTIFY_SOCKET: env.NOTIFY_SOCKET }, timeout: patience, killSignal: 'SIGKILL' },
      (error) => resolve(error ?? undefined),
    );
  });

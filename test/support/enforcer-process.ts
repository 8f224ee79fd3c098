import { fileURLToPath } from 'node:url';
import { Child, type Exit } from './child.ts';

const start = fileURLToPath(new URL('../../src/start.ts', import.meta.url));

/** `mtls-enforcer serve --config FILE`, as a process of its own. */
export class EnforcerProcess {
  readonly #child: Child;
  /** `host:port` and socket paths that it listens on. */
  readonly listening: readonly string[];

  private constructor(child: Child, listening: readonly string[]) {
    this.#child = child;
    this.listening = listening;
  }

  /**
   * Starts it and waits until it serves.
   *
   * @throws Error with its last lines if it ends instead, as it does for a wrong configuration
   */
  static async start(config: string, env: NodeJS.ProcessEnv = {}): Promise<EnforcerProcess> {
    const child = new Child('enforcer', [process.execPath, start, 'serve', '--config', config], {
      env: { ...process.env, ...env },
    });
    const started = await child.line(/\binfo +started\b|"message":"started"/);
    const addresses = /listening="?([^"]*?)"?(?: \w+=|$)|"listening":"([^"]*)"/.exec(started);
    return new EnforcerProcess(child, (addresses?.[1] ?? addresses?.[2] ?? '').split(' '));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Its log, a line each. */
  get lines(): readonly string[] {
    return this.#child.lines;
  }

  get exited(): Promise<Exit> {
    return this.#child.exited;
  }

  line(pattern: RegExp, from = 0): Promise<string> {
    return this.#child.line(pattern, from);
  }

  /** Has it read its configuration again, and waits until it has said what came of it. */
  async reload(): Promise<'reloaded' | 'refused'> {
    const from = this.#child.lines.length;
    this.#child.kill('SIGHUP');
    const line = await this.#child.line(/\binfo +reloaded\b|"reloaded"|not reloaded/, from);
    return line.includes('not reloaded') ? 'refused' : 'reloaded';
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stop(): Promise<Exit> {
    return this.#child.stop();
  }
}

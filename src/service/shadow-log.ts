import { type Problem, problemLine } from '../config/problem.ts';
import { feedLines } from '../feeds/feed-event.ts';
import type { Fields, Log } from '../observability/log.ts';
import type { ConfigurationEvent, InForce } from './configuration.ts';

type ShadowLogOptions = {
  readonly log: () => Log;
  /** Headers that a configuration reads, and Envoy does not send. */
  readonly unsent: (loaded: InForce) => readonly string[];
};

/**
 * What the log says of the next configuration. Nothing of it is an error: nobody is admitted or refused by it. What it is
 * warned of `check-config` says. What was said of the one before is not said again.
 */
export class ShadowLog {
  readonly #options: ShadowLogOptions;
  #said: ReadonlySet<string> = new Set();

  constructor(options: ShadowLogOptions) {
    this.#options = options;
  }

  tell(event: ConfigurationEvent, file: string): void {
    const write = (level: 'info' | 'warn', message: string, fields: Fields = {}): void =>
      this.#options.log()[level](`shadow: ${message}`, { file, ...fields });
    if (event.kind === 'feed') {
      for (const { level, message, fields } of feedLines(event.event)) write(level, message, fields);
    } else if (event.kind === 'refused-whole') {
      write('warn', `the next configuration is not good: ${event.reason}`);
    } else if (event.kind === 'refused') {
      for (const line of this.#news(event.problems)) write('warn', line);
      write(
        'warn',
        'the next configuration is not good: its last good state is compared with, if there is any',
        {
          errors: event.problems.length,
        },
      );
    } else if (event.kind === 'in-force') {
      const { loaded, reading, changes } = event;
      for (const line of this.#news(loaded.problems)) write('warn', line);
      const headers = this.#options.unsent(loaded).join(' ');
      if (headers !== '')
        write('warn', 'the next configuration reads headers that Envoy does not send yet', { headers });
      write('info', reading ? 'the files of [[definitions]] are still being read' : 'requests are compared', {
        generation: loaded.generation,
        apis: loaded.config.apis.length,
        warnings: loaded.warnings.length,
        ...(changes.length > 0 && { changes: changes.join('; ') }),
      });
    }
  }

  #news(problems: readonly Problem[]): readonly string[] {
    const lines = problems.map(problemLine);
    const news = lines.filter((line) => !this.#said.has(line));
    this.#said = new Set(lines);
    return news;
  }
}

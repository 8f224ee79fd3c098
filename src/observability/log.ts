import { Writable } from 'node:stream';
import winston from 'winston';
import { jsonEscapes } from './paper.ts';

/** Values that a line may carry. Client-controlled text goes here, never into the message. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = Readonly<
  Record<'error' | 'warn' | 'info' | 'debug', (message: string, fields?: Fields) => void>
>;

export type LogSettings = {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'text' | 'json';
  /** Which of several processes writes. */
  readonly worker?: number | undefined;
};

/** Of a stream, as much as the log needs. */
export type LogOutput = Pick<NodeJS.WritableStream, 'once'> & {
  readonly writableLength: number;
  readonly write: (text: string) => boolean;
};

/** The log, on standard error: standard output belongs to what a command was asked for. */
export function createLog(settings: LogSettings, output: LogOutput = process.stderr): Log {
  const { combine, timestamp, printf } = winston.format;
  const line = printf(settings.format === 'json' ? jsonLine : textLine);
  const logger = winston.createLogger({ level: settings.level, format: combine(timestamp(), line) });
  const at =
    (level: keyof Log) =>
    (message: string, fields: Fields = {}) => {
      logger.log({ ...fields, worker: fields.worker ?? settings.worker, level, message });
    };
  const log: Log = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  logger.add(new winston.transports.Stream({ stream: bounded(output, log) }));
  return log;
}

/** Some ten thousand denials. */
export const maxQueuedBytes = 4 * 1024 * 1024;

/**
 * Strangers cause denials, and each is a line: where nobody reads them (a stuck log driver, a stopped `less`), what
 * waits has a bound. Lines beyond it are dropped and counted, and one line tells how many once there is room again.
 */
function bounded(output: LogOutput, log: Log): Writable {
  let dropped = 0;
  const tell = (): void => {
    const lines = dropped;
    dropped = 0;
    log.warn('lines of this log were dropped: they were not read fast enough', { lines });
  };
  return new Writable({
    decodeStrings: false,
    write: (line: string, _, done) => {
      if (output.writableLength + line.length <= maxQueuedBytes) {
        output.write(line);
      } else {
        if (dropped === 0) output.once('drain', tell);
        dropped++;
      }
      done();
    },
  });
}

/** `2026-06-01T12:00:00.000Z info denied code=certificate_expired api="Swagger Petstore"` */
function textLine({ timestamp, level, message, ...fields }: winston.Logform.TransformableInfo): string {
  const written = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${plainOrQuoted(String(value))}`);
  return [timestamp, level.padEnd(5), oneLine(String(message)), ...written].join(' ');
}

/** Escaped as text is: a viewer that unpacks JSON's own escapes shows what is left bare in it. */
const jsonLine = ({ timestamp, level, message, ...fields }: winston.Logform.TransformableInfo): string =>
  oneLine(JSON.stringify({ timestamp, level, message, ...fields }));

/** JSON's quoting: no line break and no quote can get out of it. */
const plainOrQuoted = (value: string): string =>
  /^[\w.:/@+-]+$/.test(value) ? value : oneLine(JSON.stringify(value));

/** Also what JSON leaves bare but terminals and log collectors act on: C1 controls, separators, whatever is not seen. */
export const oneLine = (text: string): string => (/^[ -~]*$/.test(text) ? text : jsonEscapes(text));

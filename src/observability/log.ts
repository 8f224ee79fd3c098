import winston from 'winston';

/** Values that a line may carry. Client-controlled text goes here, never into the message. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = Readonly<
  Record<'error' | 'warn' | 'info' | 'debug', (message: string, fields?: Fields) => void>
>;

export type LogSettings = {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'text' | 'json';
};

/** The log, on standard error: standard output belongs to what a command was asked for. */
export function createLog(settings: LogSettings): Log {
  const { combine, timestamp, json, printf } = winston.format;
  const logger = winston.createLogger({
    level: settings.level,
    format: combine(timestamp(), settings.format === 'json' ? json() : printf(textLine)),
    transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  });
  const at =
    (level: keyof Log) =>
    (message: string, fields: Fields = {}) => {
      logger.log({ ...fields, level, message });
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** `2026-06-01T12:00:00.000Z info denied code=certificate_expired api="Swagger Petstore"` */
function textLine({ timestamp, level, message, ...fields }: winston.Logform.TransformableInfo): string {
  const written = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${plainOrQuoted(String(value))}`);
  return [timestamp, level.padEnd(5), oneLine(String(message)), ...written].join(' ');
}

/** JSON's quoting: no line break and no quote can get out of it. */
const plainOrQuoted = (value: string): string =>
  /^[\w.:/@+-]+$/.test(value) ? value : oneLine(JSON.stringify(value));

/** Also what JSON leaves bare but terminals and log collectors act on: C1 controls, separators, whatever is not seen. */
const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });

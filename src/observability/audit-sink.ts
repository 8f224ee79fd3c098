import type { LogOutput } from './log.ts';
import { maxQueuedBytes } from './log.ts';

/** Where audit lines go. What can't be taken is dropped and counted, never waited for, never queued without bound. */
export type AuditSink = {
  readonly write: (line: string, about: AuditAbout) => void;
  readonly counts: Readonly<AuditCounts>;
  readonly close: () => Promise<void>;
};
/** For those who sort lines without reading them. */
export type AuditAbout = {
  readonly isDenial: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
};
export type AuditCounts = { written: number; dropped: number };

/** Told when lines begin to be dropped, and when they are kept again. */
export type OnAuditTrouble = (trouble: string | undefined) => void;

/** Of one kind of trouble its beginning and its end are news, whatever happens in between. */
export function onceEach(tell: OnAuditTrouble): OnAuditTrouble {
  let isTrouble = false;
  return (trouble) => {
    const isNews = isTrouble !== (trouble !== undefined);
    isTrouble = trouble !== undefined;
    if (isNews) tell(trouble);
  };
}

/** Standard error, beside the log. */
export function auditOutput(output: LogOutput, tell: OnAuditTrouble): AuditSink {
  const counts = { written: 0, dropped: 0 };
  const trouble = onceEach(tell);
  return {
    counts,
    write: (line) => {
      const hasRoom = output.writableLength + line.length <= maxQueuedBytes;
      trouble(hasRoom ? undefined : 'they are not read fast enough');
      if (hasRoom) output.write(line);
      counts[hasRoom ? 'written' : 'dropped']++;
    },
    close: async () => {},
  };
}

import { type LogOutput, maxQueuedBytes } from './log.ts';

/** Where audit lines go. What can't be taken is dropped and counted, never waited for, never queued without bound. */
export type AuditSink = {
  readonly write: (line: string, about: AuditAbout) => void;
  readonly counts: Readonly<AuditCounts>;
  readonly close: () => Promise<void>;
};
/** For those who sort lines without reading them. */
type AuditAbout = {
  readonly isDenial: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
};
export type AuditCounts = { written: number; dropped: number };

/** dropped: lines are lost. unrotated: a full file can't make room for the next one, and is written on to. */
export type AuditTrouble = 'dropped' | 'unrotated';
/** Told when a trouble begins, and why; undefined: it is over. */
export type OnAuditTrouble = (trouble: AuditTrouble, reason: string | undefined) => void;

/** Of each trouble its beginning and its end are news, whatever happens in between. */
export function onceEach(tell: OnAuditTrouble): OnAuditTrouble {
  const troubles = new Set<AuditTrouble>();
  return (trouble, reason) => {
    if (troubles.has(trouble) === (reason !== undefined)) return;
    if (reason === undefined) troubles.delete(trouble);
    else troubles.add(trouble);
    tell(trouble, reason);
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
      trouble('dropped', hasRoom ? undefined : 'they are not read fast enough');
      if (hasRoom) output.write(line);
      counts[hasRoom ? 'written' : 'dropped']++;
    },
    close: async () => {},
  };
}

import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type AuditSink, type OnAuditTrouble, onceEach } from './audit-sink.ts';
import { maxQueuedBytes } from './log.ts';

type SyslogSettings = {
  /** An IP address: a name would have to be looked up for each line. */
  readonly address: string;
  readonly port: number;
  /** Of this machine. */
  readonly hostname: string;
};

/** Facility authpriv (10), severity notice (5) and informational (6): RFC 5424 section 6.2.1. */
const priority = { denial: 10 * 8 + 5, admission: 10 * 8 + 6 };

/** RFC 5424 by UDP (RFC 5426). What is lost on the way nobody knows; what could not be sent is counted. */
export function auditSyslog({ address, port, hostname }: SyslogSettings, tell: OnAuditTrouble): AuditSink {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  const counts = { written: 0, dropped: 0 };
  const trouble = onceEach(tell);
  const drop = (reason: string): void => {
    counts.dropped++;
    trouble('dropped', `${address}:${port}: ${reason}`);
  };
  socket.on('error', (error) => trouble('dropped', `${address}:${port}: ${error.message}`));
  socket.unref();
  const from = `${hostname.replace(/[^!-~]/g, '').slice(0, 255) || '-'} mtls-enforcer ${process.pid} decision -`;
  return {
    counts,
    write: (line, { isDenial, now }) => {
      if (socket.getSendQueueSize() > maxQueuedBytes) return drop('it is not sent fast enough');
      const time = new Date(now).toISOString();
      const message = `<${priority[isDenial ? 'denial' : 'admission']}>1 ${time} ${from} ${line.trimEnd()}`;
      socket.send(message, port, address, (error) => {
        if (error) return drop(error.message);
        counts.written++;
        trouble('dropped', undefined);
      });
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

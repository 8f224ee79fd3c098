import type { ExtAuthzServer } from '../ext-authz/server.ts';
import type { Log } from '../observability/log.ts';
import { reason } from '../provision/key-pair.ts';
import type { ServiceTls } from '../provision/service.ts';

/**
 * Takes over other TLS files of the enforcer's own port while it listens. Whether TLS is spoken there, and whether Envoy
 * has to present a certificate, stays as it was at the start: a reload that says otherwise is told to need a restart.
 */
export class TlsRenewal {
  readonly #server: Pick<ExtAuthzServer, 'renewTls'>;
  readonly #log: () => Log;
  #inUse: ServiceTls | undefined;

  constructor(atStart: ServiceTls | undefined, server: Pick<ExtAuthzServer, 'renewTls'>, log: () => Log) {
    this.#inUse = atStart;
    this.#server = server;
    this.#log = log;
  }

  takeOver(wanted: ServiceTls | undefined): void {
    const before = this.#inUse;
    if (before === undefined || wanted === undefined) return;
    // Asked for certificates and told no CA, Node would take any that the public ones issued.
    const clientCaPem = before.clientCaPem && (wanted.clientCaPem ?? before.clientCaPem);
    const now = { ...wanted, clientCaPem };
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    this.#inUse = now;
    try {
      if (this.#server.renewTls(now))
        this.#log().info(
          'new connections get the new TLS files of [enforcer.authService]; those there are stay',
        );
      else
        this.#log().warn(
          'the TLS files of [enforcer.authService] changed: with reflection = true they are read at start only, so restart to have them',
        );
    } catch (error) {
      this.#inUse = before;
      this.#log().error(
        'the new TLS files of [enforcer.authService] can not be used, and those of before are',
        {
          error: reason(error),
        },
      );
    }
  }
}

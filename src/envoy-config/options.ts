import type { Config } from '../config/schema/config.ts';
import type { ForeignFiles } from '../provision/build.ts';
import type { Tier } from '../provision/tiers.ts';

export type EnvoyConfigOptions = {
  /** Unset: those that the configuration itself writes, without what files and foreign systems say. */
  readonly tiers?: readonly Tier[] | undefined;
  /** A path of config.toml, as it is to stand in the YAML. */
  readonly resolvePath: (path: string) => string;
  /** How many of the APIs are config.toml's own, the first ones; unset: all. */
  readonly ownApis?: number | undefined;
  /** Of the others, those that get no routes of their own. */
  readonly crowding?: ReadonlySet<Config['apis'][number]> | undefined;
  /** Where each of the others stands; unset: there are none. */
  readonly foreignFiles?: ForeignFiles | undefined;
  /** How many processes of the enforcer there are, where it is not what the configuration says. */
  readonly workers?: number | undefined;
  /** Where the enforcer is as Envoy sees it, and how each proves itself to the other. */
  readonly enforcer?: EnforcerAccess | undefined;
};

export type EnforcerAccess = {
  /** Host name or IP address, where it is not the one that the enforcer listens on (another container). */
  readonly address?: string | undefined;
  /** PEM bundle that the enforcer's certificate must lead up to. Unset: exactly its own certificate is trusted. */
  readonly trustedCertPath?: string | undefined;
  /** Envoy's own certificate and key, where the enforcer asks for one (`clientCaPath`). */
  readonly certPath?: string | undefined;
  readonly keyPath?: string | undefined;
};

import { cipherNames } from '../config/schema/ciphers.ts';
import type { Config } from '../config/schema/config.ts';
import type { Message } from './extension.ts';

type TlsVersion = Config['router']['downstream']['tls']['minimumProtocolVersion'];
type TlsKeys = {
  readonly minimumProtocolVersion: TlsVersion;
  readonly maximumProtocolVersion: TlsVersion;
  readonly ciphers?: string | undefined;
};

const versions: Readonly<Record<TlsVersion, string>> = {
  TLS1_0: 'TLSv1_0',
  TLS1_1: 'TLSv1_1',
  TLS1_2: 'TLSv1_2',
  TLS1_3: 'TLSv1_3',
};

/** No client gets less than TLS 1.2, whatever the file says. */
export const atLeastTls12 = (version: TlsVersion): TlsVersion =>
  version === 'TLS1_0' || version === 'TLS1_1' ? 'TLS1_2' : version;

/** Both ends of the range are written out: Envoy's own defaults differ by direction and release. */
export const tlsParameters = (keys: TlsKeys): Message => ({
  tls_minimum_protocol_version: versions[keys.minimumProtocolVersion],
  tls_maximum_protocol_version: versions[keys.maximumProtocolVersion],
  ...(keys.ciphers !== undefined && {
    cipher_suites: cipherNames(keys.ciphers),
  }),
});

export const certificatePair = (certificate: string, key: string): Message => ({
  certificate_chain: { filename: certificate },
  private_key: { filename: key },
});

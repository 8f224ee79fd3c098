import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bearer } from '../../../demo/bearer.ts';
import { type Pki, preparePki } from '../../../demo/pki.ts';
import type { FoundEnvoy } from '../../../envoy/find-envoy.ts';
import type { Answer, Call } from '../../support/client.ts';
import { Gateway, type Sent } from '../gateway.ts';
import { type certificateCases, holderOf, type SystemRow, type tokenCases } from './tables.ts';

const malformed = '-----BEGIN CERTIFICATE-----\nbm8gY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n';

/** The demo's gateway with APIs of a foreign system's files, and none of config.toml's own. */
export class ForeignGateway {
  readonly gateway: Gateway;
  readonly folder: string;

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.folder = folder;
  }

  /**
   * @param files name -> content, from the demo's PKI; written below `foreign/`, which `definitions` names
   * @param definitions lines of `[[definitions]]`; `BACKEND` stands for the backend's URL
   */
  static async start(
    envoy: FoundEnvoy,
    options: {
      readonly files: (pki: Pki) => Readonly<Record<string, string | Uint8Array>>;
      readonly definitions: string;
      readonly mutualSSL?: readonly string[];
    },
  ): Promise<ForeignGateway> {
    const folder = mkdtempSync(join(tmpdir(), 'mtls-enforcer-foreign-'));
    const pki = await preparePki(folder);
    writeAll(join(folder, 'foreign'), options.files(pki));
    const gateway = await Gateway.start(envoy, {
      watches: false,
      folder,
      ...(options.mutualSSL && { mutualSSL: options.mutualSSL }),
      edit: (toml) => {
        const backend = /https:\/\/127\.0\.0\.1:\d+/.exec(toml)?.[0] ?? '';
        const [head = ''] = toml.split('[[clients]]');
        return `${head}\n${options.definitions.replaceAll('BACKEND', backend).replaceAll('foreign/', '../foreign/')}`;
      },
    });
    return new ForeignGateway(gateway, folder);
  }

  /** Writes other files in the place of these, and has them read. */
  async rewrite(files: Readonly<Record<string, string>>): Promise<'reloaded' | 'refused'> {
    writeAll(join(this.folder, 'foreign'), files);
    return this.gateway.stack.enforcer.reload();
  }

  token(kind: (typeof tokenCases)[number]): Call['headers'] & {} {
    if (kind === 'none') return [];
    const good = bearer(this.gateway.pki, {});
    // Another claim under the same signature.
    const [head, , signature] = good.split('.');
    const claims = Buffer.from('{"iss":"https://idp.demo","exp":9999999999}').toString('base64url');
    return [['authorization', kind === 'valid' ? good : `${head}.${claims}.${signature}`]];
  }

  /** A certificate in a header, as a load balancer would set it. */
  header(
    name: string,
    which: (typeof certificateCases)[number],
    coding: 'encoded' | 'plain',
  ): Call['headers'] & {} {
    const holder = holderOf[which];
    if (holder === undefined) return [];
    const pem = holder === 'malformed' ? malformed : this.gateway.pki.clients[holder].certificatePem;
    return [[name, coding === 'encoded' ? encodeURIComponent(pem) : pem.replaceAll('\n', '')]];
  }

  answer(sent: Sent): Promise<Answer> {
    return this.gateway.answer(sent);
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function writeAll(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

export const rowName = ({ mutualSSL, oauth2 }: SystemRow): string => `${mutualSSL}-${oauth2}`;

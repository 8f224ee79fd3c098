import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codings } from '../../demo/certificate-header.ts';
import { type Outcome, outcomeOf } from '../../demo/outcome.ts';
import { type Pki, preparePki } from '../../demo/pki.ts';
import { type Holder, header } from '../../demo/requests.ts';
import { type Stack, type StackOptions, startStack } from '../../demo/stack.ts';
import type { FoundEnvoy } from '../../envoy/find-envoy.ts';
import { type Answer, type Call, type ClientCertificate, send } from '../support/client.ts';

export const petstore = '/petstore/1.0.5/pet/1';
export const catalogue = '/catalogue/items';
export const status = '/status/now';

export const peerMode = ['enableClientValidation = true'];
export const headerMode = ['enableClientValidation = false', 'trustedSenders = ["127.0.0.1/32"]'];

/** The demo's own issuer of tokens, for a test that brings another. */
export const demoIssuer = /\[\[enforcer\.security\.tokenService\]\][^[]*\[[^\]]*\]\n/;

/** Else a file that changes is read twice, and what came of the one reload is taken for what came of the next. */
const onlyWhenAsked = '\n[enforcer.reload]\nwatch = false\n';

/** A request, as far as a test cares. */
export type Sent = Partial<Omit<Call, 'certificate'>> & { readonly certificate?: Holder | ClientCertificate };

/** The demo's gateway for a test: backend, enforcer, Envoy, in a folder of its own. */
export class Gateway {
  readonly stack: Stack;
  readonly pki: Pki;
  readonly #folder: string;

  private constructor(stack: Stack, pki: Pki, folder: string) {
    this.stack = stack;
    this.pki = pki;
    this.#folder = folder;
  }

  /** @param options changes config.toml; lines of `[enforcer.security.mutualSSL]` other than for peer mode; a folder with a PKI; whether changed files count by themselves */
  static async start(
    envoy: FoundEnvoy,
    options: Partial<Pick<StackOptions, 'edit' | 'editEnvoy' | 'mutualSSL'>> & {
      folder?: string;
      watches?: boolean;
    } = {},
  ): Promise<Gateway> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'mtls-enforcer-e2e-'));
    const pki = await preparePki(folder);
    const stack = await startStack({
      mutualSSL: peerMode,
      ...options,
      edit: (toml) => (options.edit?.(toml) ?? toml) + (options.watches === false ? onlyWhenAsked : ''),
      folder: join(folder, 'run'),
      pki,
      envoy,
    });
    return new Gateway(stack, pki, folder);
  }

  /** Has the running enforcer read config.toml with these lines of `[enforcer.security.mutualSSL]`. */
  async configure(mutualSSL: readonly string[]): Promise<'reloaded' | 'refused'> {
    this.stack.configure(mutualSSL);
    return this.stack.enforcer.reload();
  }

  answer({ certificate, ...call }: Sent): Promise<Answer> {
    return send({
      port: this.stack.ports.router,
      ca: this.pki.routerCaPem,
      path: petstore,
      ...call,
      certificate: typeof certificate === 'string' ? this.pki.clients[certificate] : certificate,
    });
  }

  async outcome(sent: Sent): Promise<Outcome> {
    const answer = await this.answer(sent);
    return outcomeOf({ name: '', path: '', expect: { status: 200 } }, answer);
  }

  /** Status and reason code, as `401 certificate_missing`. */
  async verdict(sent: Sent): Promise<string> {
    const { status, reason } = await this.outcome(sent);
    return reason === undefined ? String(status) : `${status} ${reason}`;
  }

  /** The WSO2 header, as a load balancer sets it. */
  headerOf(holder: Holder, name: string = header): readonly [string, string] {
    return [name, codings['percent-encoded'](this.pki.clients[holder].certificatePem)];
  }

  async stop(): Promise<void> {
    await this.stack.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

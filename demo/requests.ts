import type { DenialCode } from '../src/decision.ts';

/** Whose certificate: a file of the demo's PKI (demo/pki.ts). */
export type Holder = 'acme' | 'globex' | 'partner' | 'expired' | 'not-yet-valid' | 'server-only' | 'stranger';

/** How a certificate is written into a header: WSO2's three codings, and something that is none of them. */
export type Coding = 'percent-encoded' | 'one-line' | 'base64 of PEM' | 'junk';

/** Bound to somebody's certificate (RFC 8705), or to nobody's. */
export type DemoToken = { readonly boundTo?: Holder; readonly expired?: boolean };

export type DemoRequest = {
  /** What it shows, in words. */
  readonly name: string;
  readonly path: string;
  /** HTTP/1.1 unless given. */
  readonly protocol?: 'h2' | 'grpc';
  /** The certificate that the TLS client presents, with its key. */
  readonly certificate?: Holder;
  /** A certificate header, as a load balancer would set it. */
  readonly header?: { readonly name: string; readonly of: Holder; readonly coding: Coding };
  /** An access token, from the demo's issuer. */
  readonly token?: DemoToken;
  /** Comes from this loopback address in place of 127.0.0.1. */
  readonly from?: string;
  readonly expect: Expected;
};

export type Expected = {
  readonly status: 200 | 401 | 403 | 404;
  /** The reason code of a denial. */
  readonly reason?: DenialCode;
  /** As the backend is told. Absent: it must be told none. */
  readonly alias?: string;
  readonly tier?: string;
  /** gRPC only. */
  readonly grpcStatus?: number;
};

export type Phase = {
  readonly title: string;
  /** Lines of `[enforcer.security.mutualSSL]` in config.toml. */
  readonly mutualSSL: readonly string[];
  readonly requests: readonly DemoRequest[];
};

export const header = 'X-WSO2-CLIENT-CERTIFICATE';
export const renamedHeader = 'X-Client-Certificate';
/** A loopback address that is no trusted sender. */
export const strangersAddress = '127.0.0.2';

const codingInWords: Readonly<Record<Coding, string>> = {
  'percent-encoded': 'percent-encoded PEM',
  'one-line': 'PEM on one line',
  'base64 of PEM': 'base64 of the whole PEM',
  junk: 'junk',
};

const petstore = '/petstore/1.0.5/pet/1';
const catalogue = '/catalogue/items';
const accounts = '/accounts/1.0/list';
const greeter = '/demo.Greeter/SayHello';

const acme = { status: 200, alias: 'acme', tier: 'Gold' } as const;
const partners = { status: 200, alias: 'partners', tier: 'Silver' } as const;
const refused = (reason: DenialCode): Expected => ({ status: 401, reason });

const peerMode = ['enableClientValidation = true'];
const headerMode = ['enableClientValidation = false', 'trustedSenders = ["127.0.0.1/32"]'];

/** All of the demo, in order. Between phases config.toml is rewritten and read again; Envoy stays as it is. */
export const phases: readonly Phase[] = [
  {
    title: 'The certificate of the TLS client',
    mutualSSL: peerMode,
    requests: [
      { name: 'The certificate that is bound to the API', path: petstore, certificate: 'acme', expect: acme },
      {
        name: 'One issued by the CA that is bound to the API',
        path: petstore,
        certificate: 'partner',
        expect: partners,
      },
      { name: 'No certificate', path: petstore, expect: refused('certificate_missing') },
      {
        name: "Another client's valid certificate",
        path: petstore,
        certificate: 'globex',
        expect: refused('certificate_not_bound'),
      },
      {
        name: 'An expired certificate',
        path: petstore,
        certificate: 'expired',
        expect: refused('certificate_expired'),
      },
      {
        name: 'A certificate that is not valid yet',
        path: petstore,
        certificate: 'not-yet-valid',
        expect: refused('certificate_not_yet_valid'),
      },
      {
        name: 'One signed by a CA that nobody knows',
        path: petstore,
        certificate: 'stranger',
        expect: refused('issuer_unknown'),
      },
      {
        name: 'One that is meant for servers only',
        path: petstore,
        certificate: 'server-only',
        expect: refused('extended_key_usage_not_client'),
      },
      { name: 'An API where it is optional, without one', path: catalogue, expect: { status: 200 } },
      { name: 'An API where it is optional, with it', path: catalogue, certificate: 'acme', expect: acme },
      {
        name: 'An API where it is optional, with a wrong one',
        path: catalogue,
        certificate: 'globex',
        expect: refused('certificate_not_bound'),
      },
      {
        name: 'A path where no API is',
        path: '/nowhere',
        certificate: 'acme',
        expect: { status: 404, reason: 'api_not_found' },
      },
      {
        name: "A forged header with somebody else's certificate",
        path: petstore,
        header: { name: header, of: 'acme', coding: 'percent-encoded' },
        expect: refused('certificate_missing'),
      },
      {
        name: 'A forged header where no certificate is needed: the backend never sees it',
        path: catalogue,
        header: { name: header, of: 'acme', coding: 'percent-encoded' },
        expect: { status: 200 },
      },
      {
        name: 'HTTP/2, with the bound certificate',
        path: petstore,
        protocol: 'h2',
        certificate: 'acme',
        expect: acme,
      },
      { name: 'HTTP/2, without', path: petstore, protocol: 'h2', expect: refused('certificate_missing') },
      {
        name: 'A gRPC call, with the bound certificate',
        path: greeter,
        protocol: 'grpc',
        certificate: 'acme',
        expect: { ...acme, grpcStatus: 0 },
      },
      {
        name: 'A gRPC call, without',
        path: greeter,
        protocol: 'grpc',
        expect: { status: 200, grpcStatus: 16, reason: 'certificate_missing' },
      },
    ],
  },
  {
    title: 'The certificate in a header, from a trusted load balancer',
    mutualSSL: headerMode,
    requests: [
      ...(['percent-encoded', 'one-line', 'base64 of PEM'] as const).map(
        (coding): DemoRequest => ({
          name: `A trusted sender's header: ${codingInWords[coding]}`,
          path: petstore,
          header: { name: header, of: 'acme', coding },
          expect: acme,
        }),
      ),
      {
        name: 'Junk in the header',
        path: petstore,
        header: { name: header, of: 'acme', coding: 'junk' },
        expect: refused('header_coding_invalid'),
      },
      {
        name: "Another client's certificate in the header",
        path: petstore,
        header: { name: header, of: 'globex', coding: 'percent-encoded' },
        expect: refused('certificate_not_bound'),
      },
      {
        name: 'The same header from an untrusted sender',
        path: petstore,
        header: { name: header, of: 'acme', coding: 'percent-encoded' },
        from: strangersAddress,
        expect: refused('header_sender_untrusted'),
      },
      {
        name: 'The TLS certificate alone: it is not looked at now',
        path: petstore,
        certificate: 'acme',
        expect: refused('certificate_missing'),
      },
    ],
  },
  {
    title: 'The header under another name',
    mutualSSL: [`certificateHeader = "${renamedHeader}"`, ...headerMode],
    requests: [
      {
        name: 'The new name',
        path: petstore,
        header: { name: renamedHeader, of: 'acme', coding: 'percent-encoded' },
        expect: acme,
      },
      {
        name: 'The old name',
        path: petstore,
        header: { name: header, of: 'acme', coding: 'percent-encoded' },
        expect: refused('certificate_missing'),
      },
    ],
  },
  {
    title: 'And back',
    mutualSSL: peerMode,
    requests: [
      { name: 'The TLS certificate counts again', path: petstore, certificate: 'acme', expect: acme },
      {
        name: 'The header does not',
        path: petstore,
        header: { name: header, of: 'acme', coding: 'percent-encoded' },
        expect: refused('certificate_missing'),
      },
    ],
  },
  {
    title: 'An access token beside the certificate: the API asks for both',
    mutualSSL: peerMode,
    requests: [
      { name: 'Both', path: accounts, certificate: 'acme', token: {}, expect: acme },
      {
        name: 'A token that is bound to this certificate (RFC 8705)',
        path: accounts,
        certificate: 'acme',
        token: { boundTo: 'acme' },
        expect: acme,
      },
      {
        name: 'The same token, stolen by another client of the API',
        path: accounts,
        certificate: 'partner',
        token: { boundTo: 'acme' },
        expect: refused('token_certificate_mismatch'),
      },
      { name: 'No token', path: accounts, certificate: 'acme', expect: refused('token_missing') },
      { name: 'No certificate', path: accounts, token: {}, expect: refused('certificate_missing') },
      {
        name: 'An expired token',
        path: accounts,
        certificate: 'acme',
        token: { expired: true },
        expect: refused('token_expired'),
      },
      {
        name: 'An operation whose scope the token lacks',
        path: '/accounts/1.0/close',
        certificate: 'acme',
        token: {},
        expect: { status: 403, reason: 'token_scope_missing' },
      },
    ],
  },
];

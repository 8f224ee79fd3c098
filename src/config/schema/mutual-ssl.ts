import { z } from 'zod';
import { type CertificateFormat, formats } from '../../client-certificate/formats/table.ts';
import { known } from './client.ts';
import { headerName, sender, table, text } from './values.ts';

/** `[enforcer.security.mutualSSL]`: how the client certificate reaches us. */
const headerFormats = Object.keys(formats) as [CertificateFormat, ...CertificateFormat[]];
const senders = () => z.array(sender());

export const source = table({
  format: z
    .enum(['peer', ...headerFormats])
    .describe(
      '`peer`: the TLS client itself, for everyone who is no sender of another source. Else the format of the header.',
    ),
  header: headerName()
    .optional()
    .describe("Its name, where it is not the format's own (docs/certificate-sources.md)."),
  chainHeader: headerName()
    .optional()
    .describe("Name of the header with the chain, where it is not the format's own."),
  trustedSenders: senders().optional().describe('Who may send it; needed for all but `peer`.'),
  elements: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe('`xfcc` only: how many elements the header has, one a hop. 1 behind SANITIZE_SET.'),
});

export const mutualSSL = table({
  certificateHeader: headerName()
    .default('X-WSO2-CLIENT-CERTIFICATE')
    .describe(
      "Header in which a load balancer passes the client's certificate. Where only `certificateFormat` is written, the header of that format.",
    ),
  enableClientValidation: z
    .boolean()
    .default(true)
    .describe("true: take the TLS peer's certificate. false: take the header's, from `trustedSenders` only."),
  peer: z
    .enum(['certificate', 'xfcc'])
    .default('certificate')
    .describe(
      "Where the TLS peer's certificate comes from. certificate: `source.certificate` of the Check, which nobody can forge. xfcc: `x-forwarded-client-cert` of the Envoy that asks, for gateways that send no other (docs/gateways); that Envoy must overwrite it (SANITIZE_SET). Warned about at each start.",
    ),
  clientCertificateEncode: z
    .boolean()
    .default(false)
    .describe(
      "true: the header's value is percent-encoded PEM, and nothing else is read. false: as `certificateFormat` says.",
    ),
  enableOutboundCertificateHeader: z
    .boolean()
    .default(false)
    .describe(
      'true: the backend gets the verified certificate, in `outboundHeader`. false: it never sees a certificate header.',
    ),
  trustedSenders: senders()
    .optional()
    .describe(
      'Who may send the header: addresses or CIDR ranges of the direct TCP peer, for example `["10.20.0.0/16"]`, or `alias:NAME` for one of `senders`. Needed when `enableClientValidation = false`: a certificate is public, so a header proves nothing by itself.',
    ),
  allowHeaderOverPlaintext: z
    .boolean()
    .default(false)
    .describe(
      'true: believe the header on the plain-HTTP listener too, for load balancers that speak plain HTTP to Envoy.',
    ),
  rejectUntrustedHeader: z
    .boolean()
    .default(false)
    .describe(
      'An untrusted sender’s header is refused where a certificate is mandatory. true: where it is optional, too, instead of being ignored.',
    ),
  certificateFormat: z
    .enum(headerFormats)
    .default('auto')
    .describe("How the header is written. `auto`: any of WSO2's three codings, told apart by what they are."),
  senderCaPath: text('a PEM file, for example "security/load-balancer-ca.pem"')
    .optional()
    .describe(
      "PEM bundle of the CAs that the load balancers' own certificates must lead up to, as `trustedCertPath` for clients. Trusted for nothing else.",
    ),
  maxCertificates: z
    .int()
    .min(1)
    .max(100)
    .default(10)
    .describe('Most certificates that a client or header may present, the leaf included.'),
  outboundFormat: z
    .enum(headerFormats)
    .default('percent-pem')
    .describe('How the verified certificate is written for the backend.'),
  outboundHeader: headerName()
    .optional()
    .describe(
      'Under which name. Unset: `certificateHeader`, or the header of `outboundFormat` where that is written.',
    ),
  outboundChainHeader: headerName()
    .optional()
    .describe("Name of the outbound chain's header, for formats that have one."),
  senders: z
    .array(table(known))
    .default([])
    .describe(
      "Load balancers known by their own client certificate: what `alias:NAME` stands for. Never usable as a client's where a sender is known so.",
    ),
  sources: z
    .array(source)
    .default([])
    .describe('Several sources, each with its own senders, in place of the plain keys above.'),
});

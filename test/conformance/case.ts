import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export type Peer = { readonly kind: 'DNS' | 'IP' | 'RFC822'; readonly value: string };

/** One line of a suite. Certificates and CRLs are base64 DER. */
export type Case = {
  readonly id: string;
  readonly suite: string;
  readonly kind: 'client' | 'server' | 'any' | 'crl' | 'ocsp';
  readonly roots?: readonly string[];
  readonly inters?: readonly string[];
  readonly leaf: string;
  readonly crls?: readonly string[];
  /** Kinds crl and ocsp: who may have issued the leaf and signed what is said of it, the leaf's issuer first. */
  readonly ca?: string | readonly string[];
  /** Kind ocsp: the response, and the request that it answers. */
  readonly ocsp?: string;
  readonly request?: string | null;
  /** Kinds crl and ocsp: seconds since thisUpdate, after which it counts no more. */
  readonly maxAge?: number | null;
  /** null: now. */
  readonly time?: string | null;
  /** Not in kinds crl and ocsp, which have a status alone. */
  readonly expected?: boolean;
  readonly status?: 'good' | 'revoked' | 'unknown' | null;
  readonly peer?: Peer | null;
  readonly peers?: readonly Peer[] | null;
  /** Key usages that the leaf must have. */
  readonly ku?: readonly string[] | null;
  readonly maxDepth?: number | null;
  readonly policy?: {
    readonly initial?: readonly string[];
    readonly explicit?: boolean;
    readonly inhibitMap?: boolean;
    readonly inhibitAny?: boolean;
    /** The user-constrained policy set that must come out. */
    readonly userConstrained?: readonly string[];
  } | null;
};

/** Cases of a suite's file, one JSON object a line, gzip'd or plain. @throws Error with file and line */
export function* readCases(file: string): Generator<Case> {
  const bytes = readFileSync(file);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const text = (isGzip ? gunzipSync(bytes) : bytes).toString('utf8');
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, end).trim();
    number++;
    if (line !== '') yield parseCase(line, `${file}:${number}`);
    start = end + 1;
  }
}

function parseCase(line: string, where: string): Case {
  try {
    return JSON.parse(line) as Case;
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
}

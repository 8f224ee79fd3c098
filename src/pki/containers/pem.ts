export type PemBlock = {
  /** As in `-----BEGIN label-----`. */
  readonly label: string;
  readonly der: Uint8Array;
  /** Line of its BEGIN, from 1. */
  readonly line: number;
};

export type PemErrorCode =
  | 'pem_begin_inside_block'
  | 'pem_end_without_begin'
  | 'pem_labels_differ'
  | 'pem_end_missing'
  | 'pem_body_not_base64'
  | 'pem_body_empty'
  | 'pem_boundary_malformed';

/** Never quotes the text: it may be a private key. */
export class PemError extends Error {
  override readonly name = 'PemError';
  readonly code: PemErrorCode;
  /** From 1. */
  readonly line: number;

  constructor(code: PemErrorCode, line: number, message: string) {
    super(message);
    this.code = code;
    this.line = line;
  }
}

const boundary = /^-----(BEGIN|END) ([!-,.-~](?:[- ]?[!-,.-~])*)-----$/;

/**
 * All blocks of a PEM text (RFC 7468), in order. Text outside of blocks is passed over, as `openssl x509 -text` writes
 * it; inside, only base64 in its canonical form is taken, in lines of any length.
 *
 * @throws PemError
 */
export function parsePem(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly body: string[] } | undefined;
  let number = 0;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    number++;
    const line = raw.trimEnd();
    if (!line.startsWith('-----')) {
      open?.body.push(line);
      continue;
    }
    const match = boundary.exec(line);
    if (match === null) {
      throw new PemError('pem_boundary_malformed', number, 'a line begins like a boundary and is none');
    }
    const label = match[2]!;
    if (match[1] === 'BEGIN') {
      if (open !== undefined) {
        throw new PemError('pem_begin_inside_block', number, `the block of line ${open.line} has no END`);
      }
      open = { label, line: number, body: [] };
      continue;
    }
    if (open === undefined) throw new PemError('pem_end_without_begin', number, 'an END has no BEGIN');
    if (label !== open.label) {
      throw new PemError('pem_labels_differ', number, `the END does not fit the BEGIN of line ${open.line}`);
    }
    blocks.push({ label, line: open.line, der: decodeBody(open.body.join(''), open.line) });
    open = undefined;
  }
  if (open !== undefined) throw new PemError('pem_end_missing', open.line, 'a BEGIN has no END');
  return blocks;
}

/** RFC 4648 section 4 and nothing else: Buffer alone would pass over what it does not know. */
function decodeBody(base64: string, line: number): Uint8Array {
  if (base64 === '') throw new PemError('pem_body_empty', line, 'the block is empty');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) {
    throw new PemError('pem_body_not_base64', line, 'the block is not base64');
  }
  return new Uint8Array(bytes);
}

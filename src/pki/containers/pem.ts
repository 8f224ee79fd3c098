export type PemBlock = {
  /** As in `-----BEGIN label-----`. */
  readonly label: string;
  /** Only what is used has to be base64: a key in the older encrypted form has headers. @throws PemError */
  readonly decode: () => Uint8Array;
  /** Line of its BEGIN, from 1. */
  readonly line: number;
};

type PemErrorCode =
  | 'pem_begin_inside_block'
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

const boundary = /-----(BEGIN|END) ([!-,.-~](?:[- ]?[!-,.-~])*)-----/;
/** At the beginning of a line, as people and their tools indent and quote it. */
const begin = /^[\s"'>]*-----BEGIN ([!-,.-~](?:[- ]?[!-,.-~])*)-----/;

/**
 * All blocks of a PEM text (RFC 7468), in order. Outside of blocks all is text, and passed over, but for a BEGIN; inside,
 * white space does not count (as in its lax grammar), so that a block may be indented or on one line, and `\n` may be
 * written out, as environment variables have it.
 *
 * @throws PemError
 */
export function parsePem(text: string): readonly PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly line: number; readonly body: string[] } | undefined;
  for (const [number, piece] of pieces(text)) {
    let rest = piece;
    while (rest !== '') {
      if (open === undefined) {
        const [whole, label] = begin.exec(rest) ?? [];
        if (whole === undefined || label === undefined) break;
        open = { label, line: number, body: [] };
        rest = rest.slice(whole.length);
        continue;
      }
      const { label, line, body } = open;
      const next = boundary.exec(rest);
      const before = rest.slice(0, next?.index);
      if (before.trimStart().startsWith('-----'))
        throw new PemError('pem_boundary_malformed', number, 'a line begins like a boundary and is none');
      body.push(before);
      if (next === null) break;
      if (next[1] === 'BEGIN')
        throw new PemError('pem_begin_inside_block', number, `the block of line ${line} has no END`);
      if (next[2] !== label)
        throw new PemError('pem_labels_differ', number, `the END does not fit the BEGIN of line ${line}`);
      blocks.push({ label, line, decode: () => decodeBody(body.join(''), line) });
      open = undefined;
      rest = rest.slice(next.index + next[0].length);
    }
  }
  if (open !== undefined) throw new PemError('pem_end_missing', open.line, 'a BEGIN has no END');
  return blocks;
}

/** Lines, and what stands between written-out line ends, with their numbers. */
function* pieces(text: string): Iterable<readonly [line: number, piece: string]> {
  let number = 0;
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    number++;
    for (const piece of line.split(/(?:\\[nr])+/)) yield [number, piece];
  }
}

/** RFC 4648 section 4 and nothing else: Buffer alone would pass over what it does not know. */
function decodeBody(body: string, line: number): Uint8Array {
  const base64 = body.replace(/\s+/g, '');
  if (base64 === '') throw new PemError('pem_body_empty', line, 'the block is empty');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) {
    throw new PemError('pem_body_not_base64', line, 'the block is not base64');
  }
  return new Uint8Array(bytes);
}

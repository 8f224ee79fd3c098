import { type DenialCode, denials } from '../src/decision.ts';
import { isAdmitted, type Outcome, seenHeader } from './outcome.ts';
import type { DemoRequest } from './requests.ts';

const width = Math.min(Math.max(process.stdout.columns ?? 100, 60), 100);
const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a text, broken at spaces, its later lines indented like the first. */
export function printWrapped(
  text: string,
  indent: number,
  style: (text: string) => string = (same) => same,
): void {
  const margin = ' '.repeat(indent);
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      print(margin + style(line));
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  print(margin + style(line));
}

/** What was sent, what came back, why. */
export function printResult(request: DemoRequest, outcome: Outcome, wrong: readonly string[]): void {
  print(`${wrong.length === 0 ? green('  ok  ') : red('WRONG ')}${bold(request.name)}`);
  printWrapped(whatWasSent(request), 6, dim);
  printWrapped(`${statusInWords(outcome)}  ${why(request, outcome)}`, 6);
  for (const difference of wrong) printWrapped(difference, 6, red);
}

export function printNotSent(request: DemoRequest, reason: string): void {
  print(`${dim('skip  ')}${request.name}`);
  printWrapped(reason, 6, dim);
}

function whatWasSent({ path, protocol, certificate, header, token, from }: DemoRequest): string {
  const parts: string[] = [
    protocol === 'grpc' ? `gRPC ${path}` : `GET ${path}${protocol === 'h2' ? ' over HTTP/2' : ''}`,
  ];
  parts.push(certificate ? `TLS certificate: ${certificate}` : 'no TLS certificate');
  if (header) parts.push(`${header.name}: ${header.coding === 'junk' ? 'junk' : header.of}`);
  if (token) {
    const kind = token.expired ? 'expired' : token.boundTo ? `bound to ${token.boundTo}` : 'good';
    parts.push(`access token: ${kind}`);
  }
  if (from) parts.push(`from ${from}`);
  return parts.join(', ');
}

const statusInWords = ({ status, grpcStatus }: Outcome): string =>
  grpcStatus === undefined ? String(status) : `grpc-status ${grpcStatus}`;

function why(request: DemoRequest, { reason, seen }: Outcome): string {
  if (reason !== undefined) {
    const sentence = Object.hasOwn(denials, reason)
      ? denials[reason as DenialCode].sentence
      : '(unknown reason)';
    return `${reason}: ${sentence}`;
  }
  if (seen === undefined) return isAdmitted(request.expect) ? 'no answer of the backend' : 'no reason given';
  const alias = seenHeader(seen, 'x-client-cert-alias');
  const tier = seenHeader(seen, 'x-client-cert-tier');
  if (alias === undefined) return `admitted without a client; the backend got ${seen.path}`;
  return `the backend got ${seen.path} from alias ${alias}${tier === undefined ? '' : `, tier ${tier}`}`;
}

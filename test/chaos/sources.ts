import { type OpensslCa, opensslCa } from '../support/openssl-ca.ts';
import { type Answer, webServer } from '../unit/feeds/revocation-world.ts';

/** Something over HTTP that is fetched from again and again, and what it sends. */
export type Source = {
  readonly server: Awaited<ReturnType<typeof webServer>>;
  readonly good: Answer;
  /** Instead: never what its owner meant. */
  readonly lies: readonly Answer[];
};

const sending =
  (content: string | Uint8Array): Answer =>
  (_, response) =>
    response.end(content);

const rubbish: readonly Answer[] = [
  sending('<html><body>It works!</body></html>'),
  sending(''),
  (_, response) => response.writeHead(500).end('out of order'),
];

async function source(good: Answer, lies: readonly Answer[]): Promise<Source> {
  return { server: await webServer(good), good, lies: [...lies, ...rubbish] };
}

export const keySource = (jwks: string): Promise<Source> =>
  source(sending(jwks), [sending(jwks.slice(0, -20)), sending('{"keys":[{"kty":"none"}]}')]);

/** Of a CA that has revoked one client: it would admit him whoever believed the list of before, or that of another CA. */
export function crlSource(ca: OpensslCa, revoke: () => void): Promise<Source> {
  const before = ca.crl();
  revoke();
  const list = ca.crl({ seconds: 604_800 });
  const forged = opensslCa('URL CA').crl();
  return source(sending(list), [sending(before), sending(list.subarray(0, -20)), sending(forged)]);
}

/** A real responder, behind a server that can leave out or mix up its answers. */
export async function ocspSource(ca: OpensslCa): Promise<Source> {
  const { url } = await ca.ocsp();
  let previous: Uint8Array = new Uint8Array();
  const good: Answer = async ({ method, url: path, headers }, response, body) => {
    const type = headers['content-type'];
    const asked = { method: method!, ...(body.length > 0 && { body, headers: { 'content-type': type! } }) };
    const answer = await fetch(`${url}${path}`, asked)
      .then((one) => one.bytes())
      .catch(() => undefined);
    if (answer === undefined) return response.destroy();
    previous = answer;
    return response.setHeader('content-type', 'application/ocsp-response').end(answer);
  };
  // What it said last, whoever that was about.
  return source(good, [(_, response) => response.end(previous)]);
}

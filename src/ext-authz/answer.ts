import type { Headers } from '../attributes.ts';
import type { ApiName, Decision, Denial, VerifiedClient } from '../decision.ts';
import { protocolOf } from '../error-body.ts';
import type { Certificate } from '../pki/certificate/certificate.ts';
import { isPassing } from '../pki/certificate/certificate-cache.ts';
import type { AnswerSettings } from '../snapshot.ts';
import { misspelled, type Told } from '../upstream/backend-headers.ts';
import { denialMetadata, requestIdOption, writeCheckResponse } from './check-response.ts';
import { encodeCheckResponse, type PreparedDenial, prepareDenial } from './encode.ts';

/** Answers that a generation may hold, of some 600 bytes each. */
const generation = 4096;
/** Of one certificate (or API, where none came), so many: else who looks for one of them would look at all. */
const perKey = 64;

type Admitted = { readonly told: Told; readonly backendJwt: string | undefined; readonly framed: Buffer };

/**
 * Answers as they go over the wire, by one snapshot's settings. What an admission of this client at this API says
 * is written once; the same answer is then the same bytes. Two generations: what is asked for again stays.
 */
class Answers {
  readonly #settings: AnswerSettings;
  #young = new WeakMap<Certificate | ApiName, Admitted[]>();
  #old = new WeakMap<Certificate | ApiName, Admitted[]>();
  #held = 0;
  readonly #denials = new Map<string, PreparedDenial>();

  constructor(settings: AnswerSettings) {
    this.#settings = settings;
  }

  write(decision: Decision, received: Headers, backendJwt: string | undefined): Buffer {
    if (decision.outcome === 'deny') return this.#denial(decision, received);
    // What a client misspells is removed by name, which no other answer says.
    if (misspelled(received, this.#settings).length > 0) return this.#plain(decision, received, backendJwt);
    const key = decision.client?.certificate ?? decision.api;
    const young = find(this.#young.get(key), decision, backendJwt);
    if (young !== undefined) return young.framed;
    const old = find(this.#old.get(key), decision, backendJwt);
    const framed = old?.framed ?? this.#plain(decision, [], backendJwt);
    const certificate = decision.client?.certificate;
    if (certificate === undefined || !isPassing(certificate))
      this.#keep(key, old ?? { told: toldOf(decision), backendJwt, framed: unpooled(framed) });
    return framed;
  }

  #denial(denial: Denial, received: Headers): Buffer {
    const { code, api } = denial;
    // Scopes are the operation's.
    if (code === 'token_scope_missing') return this.#plain(denial, received, undefined);
    const kind = `${code} ${api?.errorFormat} ${protocolOf(received)}`;
    let prepared = this.#denials.get(kind);
    if (prepared === undefined) {
      const others = [...received].filter(([name]) => name !== 'x-request-id');
      prepared = prepareDenial(writeCheckResponse(denial, this.#settings, others));
      this.#denials.set(kind, prepared);
    }
    return prepared(requestIdOption(received), denialMetadata(denial));
  }

  #plain(decision: Decision, received: Headers, backendJwt: string | undefined): Buffer {
    return encodeCheckResponse(writeCheckResponse(decision, this.#settings, received, backendJwt));
  }

  #keep(key: Certificate | ApiName, admitted: Admitted): void {
    if (this.#held >= generation) {
      this.#old = this.#young;
      this.#young = new WeakMap();
      this.#held = 0;
    }
    const kept = this.#young.get(key);
    if (kept === undefined) this.#young.set(key, [admitted]);
    else if (kept.length < perKey) kept.push(admitted);
    else kept[this.#held % perKey] = admitted;
    this.#held++;
  }
}

const bySettings = new WeakMap<AnswerSettings, Answers>();

/** @param received the request's headers */
export function writeAnswer(
  decision: Decision,
  settings: AnswerSettings,
  received: Headers,
  backendJwt?: string,
): Buffer {
  let answers = bySettings.get(settings);
  if (answers === undefined) {
    answers = new Answers(settings);
    bySettings.set(settings, answers);
  }
  return answers.write(decision, received, backendJwt);
}

type Same<T> = (a: T, b: T) => boolean;
const isIt = (a: unknown, b: unknown): boolean => a === b;
const sameItems: Same<readonly unknown[]> = (a, b) =>
  a.length === b.length && a.every((item, at) => item === b[at]);

/** A field that is missing here does not compile: an answer must never be given to whom it says something else of. */
function sameFields<T extends object>(
  fields: {
    readonly [K in keyof Required<T>]: Same<Required<T>[K]>;
  },
): Same<T | undefined> {
  const names = Object.keys(fields) as (keyof T)[];
  return (a, b) => {
    if (a === b) return true;
    if (a === undefined || b === undefined) return false;
    for (const name of names) {
      const [left, right] = [a[name], b[name]];
      const isSame = left === undefined || right === undefined ? left === right : fields[name](left, right);
      if (!isSame) return false;
    }
    return true;
  };
}

const saysTheSame = sameFields<Told>({
  api: isIt,
  client: sameFields<VerifiedClient>({
    alias: isIt,
    isOwn: isIt,
    tier: isIt,
    certificate: isIt,
    intermediates: sameItems,
  }),
  token: sameFields<NonNullable<Told['token']>>({ clientId: isIt, subject: isIt, scopes: sameItems }),
  tokenHeader: isIt,
});

function find(
  answers: readonly Admitted[] | undefined,
  told: Told,
  backendJwt: string | undefined,
): Admitted | undefined {
  if (answers !== undefined)
    for (const known of answers)
      if (known.backendJwt === backendJwt && saysTheSame(known.told, told)) return known;
  return undefined;
}

/** Without the rest of the token, which nobody should keep. */
const toldOf = ({ api, client, token, tokenHeader }: Told): Told => ({
  api,
  ...(client && { client }),
  ...(token && { token: { clientId: token.clientId, scopes: token.scopes, subject: token.subject } }),
  tokenHeader,
});

/** A few bytes of node's pool keep all of it. */
function unpooled(framed: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(framed.length);
  framed.copy(own);
  return own;
}

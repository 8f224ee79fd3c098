import { createPublicKey, hash, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { compactVerify, errors } from 'jose';
import { type Algorithm, algorithmsOf } from './algorithms.ts';
import type { CompactJws } from './compact-jws.ts';

/** An issuer's public key, with the tokens that were found to be signed by it. */
export class VerificationKey {
  readonly kid: string | undefined;
  readonly algorithms: readonly Algorithm[];
  /** Equal for equal keys: what keeps a key, and what is remembered of it, over a refresh of its set. */
  readonly identity: string;
  /** Equal where the public key is, whatever else is said of it. */
  readonly material: string;
  readonly #key: KeyObject;
  /** SHA-256 of tokens whose signature was right, in the order of their last use. Their claims are judged each time. */
  readonly #signed = new Set<string>();

  private constructor(key: KeyObject, kid: string | undefined, names: readonly Algorithm[]) {
    this.#key = key;
    this.kid = kid;
    this.algorithms = names;
    this.material = hash('sha256', JSON.stringify(key.export({ format: 'jwk' })));
    this.identity = hash('sha256', JSON.stringify([kid, names, this.material]));
  }

  /** @returns a key, or why this one is not used */
  static fromJwk(jwk: unknown): VerificationKey | string {
    if (typeof jwk !== 'object' || jwk === null) return 'a key that is no JSON object';
    const { kty, kid, alg, use, key_ops: operations, d } = jwk as Record<string, unknown>;
    if (kid !== undefined && typeof kid !== 'string') return 'a key whose kid is no text';
    const name = kid === undefined ? 'a key without kid' : `key ${JSON.stringify(kid.slice(0, 64))}`;
    if (kty === 'oct') return `${name} is a secret, and would be known to all`;
    if (d !== undefined) return `${name} has its private part in it, and so is everybody's`;
    if (use !== undefined && use !== 'sig') return `${name} is not for signatures`;
    if (Array.isArray(operations) && !operations.includes('verify')) return `${name} is not for verifying`;
    let key: KeyObject;
    try {
      key = createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' });
    } catch {
      return `${name} can not be read`;
    }
    const names = algorithmsOf(key).filter((own) => alg === undefined || own === alg);
    return names.length === 0
      ? `${name} is of a kind, size or algorithm that is not accepted`
      : new VerificationKey(key, kid, names);
  }

  /** @returns a key that signs whatever its kid, or why it is not used */
  static fromPublicKey(key: KeyObject): VerificationKey | string {
    const names = algorithmsOf(key);
    return names.length === 0
      ? 'its key is of a kind or size that is not accepted'
      : new VerificationKey(key, undefined, names);
  }

  /** Whether this very token was found to be signed by it before. */
  remembers({ text }: CompactJws): boolean {
    const digest = hash('sha256', text);
    if (!this.#signed.delete(digest)) return false;
    this.#signed.add(digest);
    return true;
  }

  /** Whether the signature is right (RFC 7515 section 5.2). Off the event loop. */
  async signed({ text, header }: CompactJws): Promise<boolean> {
    try {
      await compactVerify(text, this.#key, { algorithms: [header.alg] });
    } catch (error) {
      // Whatever jose has against it: it is not verified.
      if (error instanceof errors.JOSEError) return false;
      throw error;
    }
    this.#signed.add(hash('sha256', text));
    if (this.#signed.size > maxRemembered) this.#signed.delete(this.#signed.values().next().value!);
    return true;
  }
}

/** Digests only, some 100 bytes each. Wrong signatures are not remembered, so that nobody can push out right ones. */
const maxRemembered = 10_000;

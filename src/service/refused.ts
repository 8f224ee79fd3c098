import { type Problem, problemLine } from '../config/problem.ts';

export type Refusal =
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  | { readonly kind: 'refused-whole'; readonly reason: string };

/** Why what the files say is not in force, while it is so. */
export class Refused {
  readonly #tell: (refusal: Refusal) => void;
  #refusal: Refusal | undefined;
  /** config.toml or what it names: what else comes into force meanwhile, as rows of a database, does not end that. */
  #isOwn = false;
  /** As it was told last. */
  #told: string | undefined;

  constructor(tell: (refusal: Refusal) => void) {
    this.#tell = tell;
  }

  get lines(): readonly string[] {
    if (this.#refusal === undefined) return [];
    return this.#refusal.kind === 'refused'
      ? this.#refusal.problems.map(problemLine)
      : [this.#refusal.reason];
  }

  /** @param isOwn for what config.toml says, or what it names */
  refuse(refusal: Refusal, isOwn: boolean): void {
    this.#refusal = refusal;
    this.#isOwn ||= isOwn;
    // Where other files change beside a faulty one nobody needs to hear of it once more, unless he asks.
    const told = JSON.stringify(refusal);
    if (told !== this.#told) this.#tell(refusal);
    this.#told = told;
  }

  asked(): void {
    this.#told = undefined;
  }

  ownIsGood(): void {
    this.#isOwn = false;
  }

  /** Something came into force, or is as it was. @returns whether nothing is refused any more */
  end(): boolean {
    if (this.#isOwn) return false;
    this.#refusal = undefined;
    this.#told = undefined;
    return true;
  }
}

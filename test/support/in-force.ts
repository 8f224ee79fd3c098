/**
 * What was in force when, as far as somebody outside can know it: a request may be answered by whatever was certainly in
 * force as it began, and by all that was announced until its answer came; by nothing else.
 */
export class InForceTimeline<T> {
  readonly #states: T[];
  #certain = 0;

  constructor(first: T) {
    this.#states = [first];
  }

  get latest(): T {
    return this.#states.at(-1)!;
  }

  /** From now on it may be in force: call it before the first byte is changed. */
  announce(next: T): void {
    this.#states.push(next);
  }

  /** Everybody who decides has said that the latest is in force. */
  settle(): void {
    this.#certain = this.#states.length - 1;
  }

  /** Call it as a request begins, and what it returns when its answer is there. */
  begin(): () => readonly T[] {
    const from = this.#certain;
    return () => this.#states.slice(from);
  }
}

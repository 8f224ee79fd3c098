/** Milliseconds until what could not be read is read again, each time twice as long. */
const [first, longest] = [5_000, 900_000];

/** Of what came to nothing through no fault of its own, and of which nobody would ask again. */
export class AnotherTry {
  readonly #act: () => void;
  #times = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(act: () => void) {
    this.#act = act;
  }

  wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#act, Math.min(first * 2 ** this.#times++, longest)).unref();
  }

  /** Somebody asks by himself: the next one comes soon again. */
  asked(): void {
    this.#times = 0;
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

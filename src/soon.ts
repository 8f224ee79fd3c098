/** What is known at once, or else once it was waited for. */
export type Soon<T> = T | Promise<T>;

/** A Promise for what is known already would cost each request a turn of the queue, and the garbage that goes with it. */
export const after = <T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(next) : next(value);

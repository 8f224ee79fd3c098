/** What counts of an element, as written: percent-encoded PEM in the text form, PEM in the JSON form. */
export type XfccElement = {
  readonly hash: string | undefined;
  readonly cert: string | undefined;
  readonly chain: string | undefined;
};

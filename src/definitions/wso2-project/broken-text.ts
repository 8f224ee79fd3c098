/**
 * What a file that can't be read as YAML or JSON says of a key on a line of its own: enough to keep an API's place. No
 * pattern looks for it: one that skips blanks before a value and behind it takes time that grows with their cube.
 */
export function valueIn(text: string, key: string): string | undefined {
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === -1 || unquoted(line.slice(0, colon)) !== key) continue;
    const value = unquoted(withoutComment(line.slice(colon + 1)));
    if (value !== '') return value;
  }
  return undefined;
}

const withoutComment = (text: string): string => {
  const hash = text.indexOf('#');
  return hash === -1 ? text : text.slice(0, hash);
};

/** Without blanks, quotes, and JSON's comma behind it. */
function unquoted(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && edges.includes(text[from]!)) from++;
  while (to > from && edges.includes(text[to - 1]!)) to--;
  return text.slice(from, to);
}

const edges = ' \t\r"\',';

/** A path without the slashes around it. */
export function withoutOuterSlashes(path: string): string {
  let [from, to] = [0, path.length];
  while (path[from] === '/') from++;
  while (to > from && path[to - 1] === '/') to--;
  return path.slice(from, to);
}

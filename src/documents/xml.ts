import { SaxesParser } from 'saxes';
import type { Document } from './cursor.ts';
import { FileProblem } from './files.ts';
import type { Path } from './problem.ts';

/** An element, as far as configuration files need it. */
type XmlElement = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Trimmed; of the element itself, not of those in it. */
  readonly text: string;
  /** 1-based. */
  readonly line: number;
};

const maxDepth = 100;
/** Many times what a configuration has. */
const maxLength = 2 * 1024 * 1024;
const maxElements = 50_000;

/**
 * The root element. Entities of its own, and whatever else a DOCTYPE brings, are refused.
 *
 * @throws FileProblem: not XML, with a DOCTYPE, nested too deep, more of it than is read
 */
export function readXml(text: string): XmlElement {
  type Open = {
    name: string;
    attributes: Record<string, string>;
    children: XmlElement[];
    text: string;
    line: number;
  };
  if (text.length > maxLength)
    throw new FileProblem(`has more than ${maxLength} characters, which are not read`);
  const parser = new SaxesParser({ xmlns: false });
  let count = 0;
  const open: Open[] = [];
  let root: XmlElement | undefined;
  const fail = (message: string): never => {
    throw new FileProblem(message, parser.line);
  };
  parser.on('error', ({ message }) => fail(`is no XML: ${message.replace(/^\d+:\d+: /, '')}`));
  parser.on('doctype', () => fail('has a DOCTYPE, which is not read; take it out'));
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length >= maxDepth) fail(`is nested more than ${maxDepth} deep`);
    if (++count > maxElements) fail(`has more than ${maxElements} elements, which are not read`);
    open.push({
      name,
      attributes: { ...(attributes as Record<string, string>) },
      children: [],
      text: '',
      line: parser.line,
    });
  });
  const add = (piece: string): void => {
    const element = open.at(-1);
    if (element) element.text += piece;
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => {
    const element = open.pop();
    if (element === undefined) return;
    const closed: XmlElement = { ...element, text: element.text.trim() };
    const parent = open.at(-1);
    if (parent) parent.children.push(closed);
    else root = closed;
  });
  parser.write(text.replace(/^\uFEFF/, '')).close();
  return root ?? fail('has no element');
}

/**
 * As plain data: attributes under `@name`, its own text under `#text`, elements by their names. One that stands several
 * times is a list; one of text alone is that text.
 *
 * @throws FileProblem
 */
export function readXmlDocument(text: string): Document {
  const root = readXml(text);
  return {
    value: { [root.name]: plain(root) },
    lineOf: (path) => (path[0] === root.name ? lineBelow(root, path.slice(1)) : root.line),
  };
}

function plain(element: XmlElement): unknown {
  const attributes = Object.entries(element.attributes);
  if (attributes.length === 0 && element.children.length === 0) return element.text;
  const table: Record<string, unknown> = Object.create(null);
  for (const [name, value] of attributes) table[`@${name}`] = value;
  if (element.text !== '') table['#text'] = element.text;
  for (const [name, all] of Map.groupBy(element.children, ({ name }) => name))
    table[name] = all.length === 1 ? plain(all[0]!) : all.map(plain);
  return table;
}

function lineBelow(element: XmlElement, [name, ...rest]: Path): number {
  const all = element.children.filter((child) => child.name === name);
  const [index, ...further] = rest;
  const next = all.length > 1 && typeof index === 'number' ? all[index] : all[0];
  if (next === undefined) return element.line;
  return lineBelow(next, all.length > 1 && typeof index === 'number' ? further : rest);
}

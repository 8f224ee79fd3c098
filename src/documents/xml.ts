import { SaxesParser } from 'saxes';

/** An element, as far as configuration files need it. */
export type XmlElement = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Trimmed; of the element itself, not of those in it. */
  readonly text: string;
  /** 1-based. */
  readonly line: number;
};

export class XmlProblem extends Error {
  override readonly name = 'XmlProblem';
  /** 1-based. */
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

const maxDepth = 100;

/**
 * The root element. Entities of its own, and whatever else a DOCTYPE brings, are refused.
 *
 * @throws XmlProblem
 */
export function readXml(text: string): XmlElement {
  type Open = {
    name: string;
    attributes: Record<string, string>;
    children: XmlElement[];
    text: string;
    line: number;
  };
  const parser = new SaxesParser({ xmlns: false });
  const open: Open[] = [];
  let root: XmlElement | undefined;
  const fail = (message: string): never => {
    throw new XmlProblem(message, parser.line);
  };
  parser.on('error', ({ message }) => fail(`is no XML: ${message.replace(/^\d+:\d+: /, '')}`));
  parser.on('doctype', () => fail('has a DOCTYPE, which is not read; take it out'));
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length >= maxDepth) fail(`is nested more than ${maxDepth} deep`);
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

/** The first element of that name anywhere below, by depth first. */
export function findXml(element: XmlElement, name: string): XmlElement | undefined {
  for (const child of element.children) {
    const found = child.name === name ? child : findXml(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

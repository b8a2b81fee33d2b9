import { XMLParser, XMLValidator } from "fast-xml-parser";
import { GatewayError } from "../domain/failure.ts";

/** One element: either text or children, as in every document of S3's. */
export interface XmlElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** More than 10,000 parts or 1,000 deletions with their longest keys need. */
export const XML_BYTES_MAX = 2 * 1024 * 1024;

/** S3's own documents nest four deep. */
const DEPTH_MAX = 16;

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

// ---------------------------------------------------------------- writing

/** An element that holds text. */
export function leaf(name: string, text: string | number): XmlElement {
  return { name, text: String(text), children: [] };
}

/** An element that holds elements; null children are left out. */
export function branch(
  name: string,
  children: readonly (XmlElement | null)[],
): XmlElement {
  return {
    name,
    text: "",
    children: children.filter((child) => child !== null),
  };
}

/** The document that answers a successful call, in S3's namespace. */
export function renderDocument(root: XmlElement): string {
  return render(root, ` xmlns="${NAMESPACE}"`);
}

/** An error document; S3 gives these no namespace. */
export function renderErrorDocument(root: XmlElement): string {
  return render(root, "");
}

/** What every document begins with. */
export const PROLOG = '<?xml version="1.0" encoding="UTF-8"?>\n';

function render(root: XmlElement, attributes: string): string {
  const parts = [PROLOG];
  renderElement(root, attributes, parts);
  return parts.join("");
}

function renderElement(
  element: XmlElement,
  attributes: string,
  parts: string[],
): void {
  const { name, text, children } = element;
  if (text === "" && children.length === 0) {
    parts.push(`<${name}${attributes}/>`);
    return;
  }
  parts.push(`<${name}${attributes}>`, escapeText(text));
  for (const child of children) renderElement(child, "", parts);
  parts.push(`</${name}>`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/**
 * Control characters are legal in keys and illegal in XML 1.0; S3 writes them
 * as character references, which is also what keeps CR from becoming LF.
 */
function escapeText(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex -- these are the characters escaped
    /[&<>"\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]/g,
    (char) => ESCAPES[char] ?? `&#x${char.charCodeAt(0).toString(16)};`,
  );
}

// ---------------------------------------------------------------- reading

const PARSER = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  cdataPropName: "#cdata",
  processEntities: false,
  maxNestedTags: DEPTH_MAX,
});

/**
 * Reads one document. Entities are never expanded: the five names that XML
 * defines and character references are all that text may hold, and a DOCTYPE
 * is refused.
 *
 * @throws {GatewayError} `malformed_xml`.
 */
export function parseDocument(bytes: Uint8Array): XmlElement {
  const text = decodeUtf8(bytes);
  if (text.includes("<!DOCTYPE")) {
    throw malformed("A document type declaration is not accepted.");
  }
  if (XMLValidator.validate(text) !== true) throw malformed();
  const roots = elementsOf(parseNodes(text));
  const root = roots[0];
  if (root === undefined || roots.length !== 1) throw malformed();
  return root;
}

/** The text of the first child of that name; null where there is none. */
export function childText(element: XmlElement, name: string): string | null {
  return element.children.find((child) => child.name === name)?.text ?? null;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed("The document is not valid UTF-8.", { cause });
  }
}

function parseNodes(text: string): unknown {
  try {
    return PARSER.parse(text);
  } catch (cause) {
    throw malformed(undefined, { cause });
  }
}

/** The parser's ordered form: objects with one key, the element's name. */
function elementsOf(nodes: unknown): XmlElement[] {
  const elements: XmlElement[] = [];
  for (const [name, content] of entriesOf(nodes)) {
    if (name.startsWith("#")) continue;
    const children = elementsOf(content);
    const text = children.length > 0 ? "" : textOf(content);
    elements.push({ name, text, children });
  }
  return elements;
}

function textOf(nodes: unknown): string {
  let text = "";
  for (const [name, content] of entriesOf(nodes)) {
    if (name === "#text") text += decodeReferences(String(content));
    if (name === "#cdata") text += rawTextOf(content);
  }
  return text;
}

function rawTextOf(nodes: unknown): string {
  return entriesOf(nodes).map(([, content]) => String(content)).join("");
}

function entriesOf(nodes: unknown): [string, unknown][] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: unknown) =>
    typeof node === "object" && node !== null
      ? Object.entries(node).filter(([name]) => name !== ":@")
      : []
  );
}

const NAMED_REFERENCES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

function decodeReferences(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&]{0,12};)?/g, (_match, body?: string) => {
    const name = body?.slice(0, -1) ?? "";
    return NAMED_REFERENCES.get(name) ?? decodeCharacter(name);
  });
}

function decodeCharacter(name: string): string {
  const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
  const code = digits?.[1] !== undefined
    ? parseInt(digits[1], 16)
    : parseInt(digits?.[2] ?? "", 10);
  const surrogate = code >= 0xd800 && code <= 0xdfff;
  if (!Number.isInteger(code) || code > 0x10ffff || surrogate) {
    throw malformed("The document refers to an entity that XML does not have.");
  }
  return String.fromCodePoint(code);
}

function malformed(detail?: string, options?: ErrorOptions): GatewayError {
  const message =
    "The XML you provided was not well-formed or did not validate against " +
    "our published schema.";
  return new GatewayError(
    { kind: "malformed_xml" },
    detail === undefined ? message : `${message} ${detail}`,
    options,
  );
}

/** For documents that are XML, but not what the operation takes. */
export function malformedDocument(detail: string): GatewayError {
  return malformed(detail);
}

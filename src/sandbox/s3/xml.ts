/** Text that is already markup, so that it is not escaped twice. */
export type Markup = { readonly markup: string };

export interface XmlElement {
  readonly name: string;
  /** Character data directly inside, entities decoded, not trimmed. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";
const DEPTH_MAX = 8;
const NAMED_ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

/** `<name>content</name>` with text escaped. */
export function element(
  name: string,
  content: string | number | readonly Markup[],
): Markup {
  return { markup: `<${name}>${innerMarkup(content)}</${name}>` };
}

/** A whole document; error documents are the ones without S3's namespace. */
export function xmlDocument(
  root: string,
  content: string | readonly Markup[],
  options: { namespace: "s3" | "none" } = { namespace: "s3" },
): string {
  const attribute = options.namespace === "s3" ? ` xmlns="${NAMESPACE}"` : "";
  return `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<${root}${attribute}>${innerMarkup(content)}</${root}>`;
}

export function xmlResponse(body: string): Response {
  return new Response(body, { headers: { "content-type": "application/xml" } });
}

function innerMarkup(content: string | number | readonly Markup[]): string {
  if (typeof content !== "object") return escapeText(String(content));
  return content.map((child) => child.markup).join("");
}

/** Control characters become references, so that any key survives XML. */
function escapeText(text: string): string {
  // deno-lint-ignore no-control-regex -- keys may hold control characters.
  return text.replace(/[&<>"\u0000-\u001f]/g, (character) => {
    switch (character) {
      case "&":
        return "&amp;";
      case "<":
        return "&lt;";
      case ">":
        return "&gt;";
      case '"':
        return "&quot;";
      default:
        return `&#x${character.charCodeAt(0).toString(16)};`;
    }
  });
}

/**
 * Reads the small documents that S3 clients send (Delete,
 * CompleteMultipartUpload, CreateBucketConfiguration). Namespaces, comments
 * and attributes are skipped; a document type is refused, so no entity can be
 * declared.
 *
 * @returns null where the text is not one well-formed element.
 */
export function parseXml(text: string): XmlElement | null {
  const open: { name: string; text: string; children: XmlElement[] }[] = [
    { name: "", text: "", children: [] },
  ];
  const token =
    /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z_][\w:.-]*)((?:\s+[^<>]*?)?)(\/?)>|([^<]+)/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    const parent = open.at(-1);
    if (match === null || parent === undefined) return null;
    const [, closing, name, , empty, data] = match;
    if (data !== undefined) {
      const decoded = decodeEntities(data);
      if (decoded === null) return null;
      parent.text += decoded;
    } else if (name !== undefined && closing === "/") {
      if (open.length < 2 || parent.name !== name) return null;
      open.pop();
      open.at(-1)?.children.push(withoutPrefix(parent));
    } else if (name !== undefined && empty === "/") {
      parent.children.push(withoutPrefix({ name, text: "", children: [] }));
    } else if (name !== undefined) {
      if (open.length > DEPTH_MAX) return null;
      open.push({ name, text: "", children: [] });
    }
  }
  const [root, ...rest] = open[0]?.children ?? [];
  const isOneElement = open.length === 1 && rest.length === 0 &&
    open[0]?.text.trim() === "";
  return isOneElement && root !== undefined ? root : null;
}

/** The text of the first child of that name, or null. */
export function childText(parent: XmlElement, name: string): string | null {
  return parent.children.find((child) => child.name === name)?.text ?? null;
}

function withoutPrefix(found: XmlElement): XmlElement {
  const name = found.name.slice(found.name.indexOf(":") + 1);
  return { ...found, name };
}

function decodeEntities(text: string): string | null {
  let isValid = true;
  const decoded = text.replace(/&([^;&]{0,12});?/g, (whole, name: string) => {
    const value = whole.endsWith(";") ? decodeEntity(name) : null;
    if (value === null) isValid = false;
    return value ?? "";
  });
  return isValid ? decoded : null;
}

function decodeEntity(name: string): string | null {
  const named = NAMED_ENTITIES.get(name);
  if (named !== undefined) return named;
  const numeric = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name);
  if (numeric === null) return null;
  const [, hex, decimal] = numeric;
  const code = hex !== undefined ? parseInt(hex, 16) : Number(decimal);
  return code <= 0x10ffff ? String.fromCodePoint(code) : null;
}

// JSON as the contract wants it. JSON.parse takes the last of two equal keys, rounds large integers and knows no bound on
// depth; JSON.stringify does not sort keys and leaves raw what some readers take for the end of a line.

export class JsonError extends Error {}

const MAX_DEPTH = 200;
const SPACE = /[ \t\r\n]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Return the value of `text`; integers that a double cannot hold come as BigInt. Throws JsonError. */
export function parse(text) {
  let at = 0;
  const fail = (what) => {
    throw new JsonError(`${what} at character ${at + 1}`);
  };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const next = (character) => {
    take(SPACE);
    return text[at] === character && ++at > 0;
  };

  function string() {
    const start = at - 1;
    let escaped = false;
    for (; text[at] !== '"'; escaped ||= text[at - 1] === "\\") {
      if (at >= text.length) fail("a string without an end");
      if (text.charCodeAt(at) < 0x20) fail("a raw control character in a string");
      if (text[at] !== "\\") at += 1;
      else if (take(ESCAPE) === undefined) fail("an unknown escape");
      else escaped = true;
    }
    at += 1;
    return escaped ? JSON.parse(text.slice(start, at)) : text.slice(start + 1, at - 1);
  }

  function object(depth) {
    const value = Object.create(null); // "__proto__" is a key like any other
    if (next("}")) return value;
    do {
      if (!next('"')) fail("no key");
      const key = string();
      if (key in value) fail(`the key ${encode(key)} is repeated`);
      if (!next(":")) fail("no colon behind a key");
      value[key] = anything(depth);
    } while (next(","));
    return next("}") ? value : fail("an object without an end");
  }

  function array(depth) {
    const value = [];
    if (next("]")) return value;
    do value.push(anything(depth));
    while (next(","));
    return next("]") ? value : fail("an array without an end");
  }

  function anything(depth) {
    if (depth === 0) fail(`more than ${MAX_DEPTH} levels`);
    if (next("{")) return object(depth - 1);
    if (next("[")) return array(depth - 1);
    if (next('"')) return string();
    const word = take(SCALAR) ?? fail("no value");
    if (word === "true" || word === "false") return word === "true";
    if (word === "null") return null;
    const number = Number(word);
    if (/^-?\d+$/.test(word)) return Number.isSafeInteger(number) ? number : BigInt(word);
    return Number.isFinite(number) ? number : fail("a number that is too large");
  }

  const value = anything(MAX_DEPTH);
  take(SPACE);
  return at === text.length ? value : fail("something behind the value");
}

const ascii = (text) =>
  JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Return `value` on one line: keys sorted, ASCII only, nothing that a terminal or a line splitter obeys. */
export function encode(value) {
  if (typeof value === "string") return ascii(value);
  if (Array.isArray(value)) return `[${value.map(encode).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys.sort().map((key) => `${ascii(key)}: ${encode(value[key])}`).join(", ")}}`;
}

/** Say whether any text in `value` holds half a character (a lone surrogate), which UTF-8 cannot store. */
export function hasHalfCharacter(value) {
  if (typeof value === "string") return !value.isWellFormed();
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some((pair) => pair.some(hasHalfCharacter));
}

/** Say whether `value` is an object, and no array. */
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

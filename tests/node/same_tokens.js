// Compares scripts with their shortened forms, token by token, by TypeScript's scanner; private names may
// have become other ones, each always the same. Run as `node same_tokens.js FOLDER FOLDER FILE...`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

function tokens(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  if (source.parseDiagnostics.length) throw new Error(`${path} is no valid script`);
  const found = [];
  const visit = (node) => {
    if (node.getChildCount(source) === 0 && !ts.isJSDoc(node)) found.push(node.getText(source));
    else node.getChildren(source).filter((child) => !ts.isJSDoc(child)).forEach(visit);
  };
  visit(source);
  return found;
}

const [written, short, ...files] = process.argv.slice(2);
for (const file of files) {
  const [one, other] = [tokens(join(written, file)), tokens(join(short, file))];
  const names = new Map();
  one.forEach((token, index) => {
    const name = token.startsWith("#") ? (names.get(token) ?? other[index]) : token;
    names.set(token, name);
    if (name !== other[index]) throw new Error(`${file}: ${token} became ${other[index]}`);
  });
  if (one.length !== other.length || new Set(names.values()).size !== names.size) {
    throw new Error(`${file}: other tokens, or one name for two`);
  }
}
console.log(files.length);

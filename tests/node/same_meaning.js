// Proves that shortened scripts mean the same: token by token they are those that were written, but for the
// names of variables and private members, each of which became another one, the same throughout the file,
// that no other has. Run as `node same_meaning.js WRITTEN SHORT FILE...`.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const [written, short, ...files] = process.argv.slice(2);

/** Whether a name is one that others see: of a property, a member, or in an import or export. */
function isSeen({ parent }, node) {
  const isOwn = (name) => name === node;
  if (ts.isPropertyAccessExpression(parent)) return isOwn(parent.name);
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return true;
  if (ts.isShorthandPropertyAssignment(parent) || ts.isBindingElement(parent)) {
    return (
      isOwn(parent.propertyName) ||
      (!parent.propertyName && isOwn(parent.name) && isInObject(parent))
    );
  }
  if (isExported(parent)) return true;
  return (ts.isPropertyAssignment(parent) || ts.isClassElement(parent)) && isOwn(parent.name);
}

function isInObject(parent) {
  return !parent.parent || ts.isShorthandPropertyAssignment(parent)
    ? true
    : ts.isObjectBindingPattern(parent.parent) && !parent.dotDotDotToken;
}

function isExported(node) {
  const declared = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return Boolean(
    ts.canHaveModifiers(declared) &&
    ts.getModifiers(declared)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
  );
}

/** The names of a file that no declaration in it explains. */
function globals(checker, source, nodes) {
  return new Set(
    nodes
      .filter((node) => ts.isIdentifier(node) && !isSeen(node, node))
      .filter((node) => {
        const symbol = checker.getSymbolAtLocation(node);
        return !symbol?.declarations?.some((one) => one.getSourceFile() === source);
      })
      .map((node) => node.text),
  );
}

function leaves(source) {
  const found = [];
  const visit = (node) => {
    const children = node.getChildren(source).filter((child) => !ts.isJSDoc(child));
    if (children.length) children.forEach(visit);
    else if (node.getText(source)) found.push(node);
  };
  visit(source);
  return found;
}

const paths = files.flatMap((file) => [join(written, file), join(short, file)]);
const options = { allowJs: true, checkJs: false, noResolve: true, lib: [], noLib: true, types: [] };
const program = ts.createProgram(paths, { ...options, target: ts.ScriptTarget.Latest });
const checker = program.getTypeChecker();

for (const file of files) {
  const sources = [written, short].map((folder) => program.getSourceFile(join(folder, file)));
  for (const source of sources) {
    const [wrong] = program.getSyntacticDiagnostics(source);
    if (wrong) throw new Error(`${source.fileName}: ${wrong.messageText}`);
  }
  const [one, other] = sources.map(leaves);
  if (one.length !== other.length) throw new Error(`${file}: other tokens`);
  const outer = globals(checker, sources[0], one);
  const [names, back] = [new Map(), new Map()];
  one.forEach((node, index) => {
    const [before, after] = [node.getText(sources[0]), other[index].getText(sources[1])];
    const fail = (why) => {
      const { line } = sources[0].getLineAndCharacterOfPosition(node.getStart());
      throw new Error(`${file}:${line + 1}: ${before} became ${after} (${why})`);
    };
    const isPrivate = ts.isPrivateIdentifier(node);
    if (!isPrivate && (!ts.isIdentifier(node) || isSeen(node, node))) {
      if (before !== after) fail("it is seen by others");
      return;
    }
    if (!isPrivate && outer.has(before) && before !== after)
      fail("it is no variable of this script");
    if ((names.get(before) ?? after) !== after) fail("once this, once that");
    if ((back.get(after) ?? before) !== before) fail("another one has this name");
    names.set(before, after);
    back.set(after, before);
  });
  for (const name of outer)
    if (back.get(name) !== name) throw new Error(`${file}: ${name} is hidden`);
}
console.log(files.length);

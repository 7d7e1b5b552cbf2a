// Writes the TypeScript types of the messages and of the games from their JSON Schemas.
//
//     node tools/message_types.js            # writes service/web/client/{messages,games}.d.ts
//     node tools/message_types.js --check    # fails when what is committed is not that

import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const WEB = new URL("../service/web/", import.meta.url);

/** The schemas, and the types that are made of them. */
const DOCUMENTS = [
  ["docs/contract/messages.schema.json", "client/messages.d.ts", "Messages", "all messages"],
  ["docs/contract/games.schema.json", "client/games.d.ts", "Games", "the games and their errors"],
];

/** What follows from the generated types of the games. */
const MORE = {
  Games: `
/** The name of a game. Types of other games are added by declaring more fields of \`Games\`. */
export type GameName = keyof Games;
/** What a game takes and shows: its \`options\`, \`move\`, \`state\` and \`input\`. */
export type Game<Name extends GameName> = Games[Name];
`,
};

/** What the types of the messages take from those of the games. */
const IMPORTS = { Messages: '\n\nimport type { ErrorCode } from "./games.js";' };

function banner(what) {
  return `// The types of ${what}. Generated from the service's JSON Schema by
// \`make reference\`; do not edit.`;
}

/** A schema that says nothing allows anything; the generator would take it for an object. */
function anything(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(anything);
  const { default: _, prefixItems, ...rest } = schema;
  // The generator knows tuples by their former name.
  if (prefixItems) rest.items = prefixItems;
  const entries = Object.entries(rest).map(([key, value]) => [key, anything(value)]);
  return entries.length ? Object.fromEntries(entries) : { tsType: "unknown" };
}

/** What the generator says of each definition. */
const REFERENCED = / \*\n \* This interface was referenced by [^]*?"\.\n(?= \*\/)/g;

/** Errors have one of the codes that the service gives. */
function coded(schema) {
  for (const name of ["Error", "ClassicError"]) {
    if (schema.$defs[name]) schema.$defs[name].properties.code = { tsType: "ErrorCode" };
  }
  return schema;
}

/** Objects with named fields have no others that a program could rely on. */
function closed(schema) {
  for (const definition of Object.values(schema.$defs)) {
    if (definition.properties) definition.additionalProperties = false;
  }
  return schema;
}

for (const [from, to, name, what] of DOCUMENTS) {
  const schema = closed(coded(anything(JSON.parse(readFileSync(new URL(from, WEB), "utf8")))));
  const types =
    (
      await compile(schema, name, {
        bannerComment: banner(what) + (IMPORTS[name] ?? ""),
        style: { printWidth: 100, tabWidth: 4 },
        unreachableDefinitions: true,
      })
    ).replaceAll(REFERENCED, "") + (MORE[name] ?? "");
  const file = new URL(to, WEB);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, types);
  } else if (readFileSync(file, "utf8") !== types) {
    console.error(`${to} is not what the schema says: run \`make reference\``);
    process.exitCode = 1;
  }
}

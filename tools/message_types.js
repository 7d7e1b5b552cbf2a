// Writes the TypeScript types of the messages from their JSON Schema.
//
//     node tools/message_types.js            # writes service/web/client/messages.d.ts
//     node tools/message_types.js --check    # fails when what is committed is not that

import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const WEB = new URL("../service/web/", import.meta.url);
const SCHEMA = new URL("docs/contract/messages.schema.json", WEB);
const TYPES = new URL("client/messages.d.ts", WEB);

const BANNER = `// The types of all messages, of both dialects and directions. Generated from
// the service's JSON Schema by \`make reference\`; do not edit.`;

/** A schema that says nothing allows anything; the generator would take it for an object. */
function anything(schema) {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(anything);
  const { default: _, ...rest } = schema;
  const entries = Object.entries(rest).map(([key, value]) => [key, anything(value)]);
  return entries.length ? Object.fromEntries(entries) : { tsType: "unknown" };
}

/** Objects with named fields have no others that a program could rely on. */
function closed(schema) {
  for (const definition of Object.values(schema.$defs)) {
    if (definition.properties) definition.additionalProperties = false;
  }
  return schema;
}

const schema = closed(anything(JSON.parse(readFileSync(SCHEMA, "utf8"))));
const types = await compile(schema, "Messages", {
  bannerComment: BANNER,
  style: { printWidth: 100, tabWidth: 4 },
});

if (!process.argv.includes("--check")) {
  writeFileSync(TYPES, types);
} else if (readFileSync(TYPES, "utf8") !== types) {
  console.error("messages.d.ts is not what the schema says: run `make reference`");
  process.exitCode = 1;
}

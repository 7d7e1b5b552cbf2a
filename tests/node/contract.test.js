// The contract documents, by tools that know nothing of the service.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv/dist/2020.js";

const CONTRACT = new URL("../../service/web/docs/contract/", import.meta.url);

const read = (name) => JSON.parse(readFileSync(new URL(name, CONTRACT), "utf8"));
const SCHEMA = read("messages.schema.json");

const ajv = new Ajv({ strict: true, allErrors: true });
ajv.addSchema(SCHEMA, "messages");

function check(definition, payload) {
  const validate = ajv.getSchema(`messages#/$defs/${definition}`);
  return validate(payload) ? [] : validate.errors;
}

for (const [name, prefix] of [
  ["asyncapi-classic.json", "Classic"],
  ["asyncapi-v1.json", ""],
]) {
  const document = read(name);

  test(`${name} is a valid AsyncAPI document`, async () => {
    const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
    const SEVERITY_WARNING = 1;
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity <= SEVERITY_WARNING),
      [],
    );
    assert.equal(parsed.version(), "3.0.0");
    assert.equal(parsed.operations().length, 2);
    const count = Object.keys(document.components.messages).length;
    assert.equal(parsed.channels().get("socket").messages().length, count);
  });

  test(`every example in ${name} is valid by the JSON Schema of its message`, () => {
    for (const [type, { examples }] of Object.entries(document.components.messages)) {
      assert.ok(examples.length > 0, type);
      for (const { payload } of examples) assert.deepEqual(check(prefix + type, payload), [], type);
    }
  });

  test(`each example in ${name} is valid by exactly one schema of its direction`, () => {
    for (const { messages } of Object.values(document.operations)) {
      const types = messages.map(({ $ref }) => $ref.split("/").at(-1));
      for (const type of types) {
        const [{ payload }] = document.components.messages[type].examples;
        const fitting = types.filter((other) => check(prefix + other, payload).length === 0);
        assert.deepEqual(fitting, [type]);
      }
    }
  });
}

test("a message with a missing or wrong field is invalid", () => {
  assert.deepEqual(check("RoomJoin", { type: "room:join", roomId: "r1" }), []);
  assert.notDeepEqual(check("RoomJoin", { type: "room:join" }), []);
  assert.notDeepEqual(check("RoomJoin", { type: "room:join", roomId: "r1", role: "king" }), []);
  assert.notDeepEqual(check("Invite", { type: "invite", to: -1 }), []);
  assert.notDeepEqual(check("Ping", { type: "ping", id: "" }), []);
});

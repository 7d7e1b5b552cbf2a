// Forms from JSON Schema, for the playground at /docs#try.

import { element } from "../common/dom.js";
import { remarkOn, typeOf } from "./docs_schema.js";

/**
 * The schema that a field is edited by, without the `null` of an optional one.
 */
function editable(schema, schemas) {
  if (schema.$ref) return editable(schemas[schema.$ref.split("/").at(-1)] ?? {}, schemas);
  const options = (schema.anyOf ?? schema.oneOf)?.filter(({ type }) => type !== "null");
  if (!options) return schema;
  if (options.length === 1) return { ...editable(options[0], schemas), ...described(schema) };
  return described(schema);
}

function described({ description }) {
  return description === undefined ? {} : { description };
}

/** What text stands for a value in the control of its field. */
function textOf(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The value of a text; JSON where it can be read as such, unless the field is a text. */
function valueOf(text, schema) {
  if (schema.type === "string" || schema.enum) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function controlOf(schema, name) {
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (choices) {
    const select = element("select", { className: "input" });
    select.append(new Option("", ""), ...choices.map((one) => new Option(String(one))));
    select.name = name;
    return select;
  }
  const input = element("input", { className: "input" });
  const pieces = typeOf(schema).map((piece) => (typeof piece === "string" ? piece : piece.part));
  Object.assign(input, { name, autocomplete: "off", spellcheck: false });
  input.placeholder = pieces.join("");
  return input;
}

/**
 * The fields of a message, one labelled control each.
 * @returns {{fields: HTMLElement[], read: () => object, write: (message: object) => void}} `read`
 *   makes the message of what was entered; fields that are left empty are not in it
 */
export function formOf(schema, schemas, { onInput }) {
  const required = new Set(schema.required ?? []);
  const type = schema.properties.type?.const;
  const entries = Object.entries(schema.properties).filter(([name]) => name !== "type");
  const controls = entries.map(([name, field]) => {
    const known = editable(field, schemas);
    const control = controlOf(known, name);
    control.addEventListener("input", onInput);
    const label = element("span", { className: "label" }, element("code", { text: name }));
    if (!required.has(name))
      label.append(element("span", { className: "optional", text: " optional" }));
    const hint = element("span", { className: "hint", text: remarkOn(known).replaceAll("`", "") });
    return {
      name,
      known,
      control,
      field: element("label", { className: "field" }, label, control, hint),
    };
  });
  return {
    fields: controls.map(({ field }) => field),
    read() {
      const message = { type };
      for (const { name, known, control } of controls) {
        if (control.value !== "") message[name] = valueOf(control.value, known);
      }
      return message;
    },
    write(message) {
      for (const { name, control } of controls) control.value = textOf(message[name]);
    },
  };
}

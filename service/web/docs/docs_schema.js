// Describes JSON Schema in words, for the page at /docs. Pure, without DOM.

/** The last part of a reference: the name of its target. */
export const nameOf = ({ $ref }) => $ref.split("/").at(-1);

/**
 * The values that a schema allows, as pieces of text; `{ part }` is the name of another schema.
 * @returns {(string | {part: string})[]}
 */
export function typeOf(schema) {
  if (schema.$ref) return [{ part: nameOf(schema) }];
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" or ")];
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return joined(options.map(typeOf));
  if (Array.isArray(schema.type)) return [schema.type.join(" or ")];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items ?? {})];
  if (typeof schema.additionalProperties === "object") {
    return ["object of ", ...typeOf(schema.additionalProperties)];
  }
  return [schema.type ?? "anything"];
}

function joined(options) {
  return options.flatMap((option, index) => (index ? [" or ", ...option] : option));
}

/** Further facts about a value: its meaning, bounds and default. */
export function remarkOn(schema) {
  const remarks = [schema, ...(schema.anyOf ?? [])].map(limitsOf).filter(Boolean);
  const { default: normal } = schema;
  if (normal !== undefined && normal !== null)
    remarks.push(`default \`${JSON.stringify(normal)}\``);
  const bounds = [...new Set(remarks)].join("; ");
  if (!schema.description) return bounds;
  return bounds ? `${schema.description} (${bounds})` : schema.description;
}

function limitsOf(schema) {
  if (schema.pattern) return `matches \`${schema.pattern}\``;
  const characters = between(schema.minLength, schema.maxLength);
  if (characters) return `${characters} characters`;
  return between(schema.minimum, schema.maximum);
}

function between(least, most) {
  if (least !== undefined && most !== undefined) return `${least} to ${most}`;
  if (least !== undefined) return `at least ${least}`;
  if (most !== undefined) return `at most ${most}`;
  return "";
}

/** The fields of an object with their descriptions, without the tag, which the heading shows. */
export function fieldsOf(schema, { tag = "type" } = {}) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {})
    .filter(([name, field]) => !(name === tag && "const" in field))
    .map(([name, field]) => ({
      name,
      isRequired: required.has(name),
      type: typeOf(field),
      remark: remarkOn(field),
    }));
}

/** All schemas that these refer to, directly or indirectly, by name. */
export function partsOf(schemas, names) {
  const found = new Set();
  const visit = (value) => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (value?.$ref) take(nameOf(value));
    else if (value && typeof value === "object") Object.values(value).forEach(visit);
  };
  const take = (name) => {
    if (found.has(name) || !schemas[name]) return;
    found.add(name);
    visit(schemas[name]);
  };
  for (const name of names) visit(schemas[name]);
  return [...found].filter((name) => !names.includes(name));
}

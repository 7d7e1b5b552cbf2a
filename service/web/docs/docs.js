// The page at /docs: renders the AsyncAPI and OpenAPI documents of the service, which are
// generated from its code. Texts of the documents are only assigned to `textContent`.

import { byId, element } from "../common/dom.js";
import { fieldsOf, nameOf, partsOf, remarkOn, typeOf } from "./docs_schema.js";
import { PlaygroundPage } from "./playground.js";

const DOCUMENTS = [
  { id: "v1", title: "Protocol v1", file: "asyncapi-v1.json" },
  { id: "classic", title: "Classic", file: "asyncapi-classic.json" },
  { id: "rest", title: "REST", file: "openapi.json" },
];
const TRY_TEXT =
  "Connect to this service, send messages and see every frame. Who has lost their connection may " +
  "come back within their grace period: cut it, connect again, and `resumed` brings what was missed.";
const METHODS = ["get", "post", "put", "patch", "delete"];

const TRY = { id: "try", title: "Try it" };

/** The documents, by their ids. */
const loaded = new Map();
let shown = "";
/** Made when it is first shown. @type {PlaygroundPage | null} */
let playground = null;

async function load({ id, file }) {
  const response = await fetch(`/docs/${file}`);
  if (response.ok) loaded.set(id, await response.json());
}

// Pieces of the page

/** Renders text in which words between backticks are code. */
function prose(text) {
  return text
    .split("`")
    .map((piece, index) => (index % 2 ? element("code", { text: piece }) : new Text(piece)));
}

function paragraphs(text = "") {
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((one) => element("p", {}, ...prose(one)));
}

function link(text, href, options = {}) {
  const made = element("a", { text, ...options });
  made.setAttribute("href", href);
  return made;
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { text })));
  const body = rows.map((cells) =>
    element("tr", {}, ...cells.map((cell) => element("td", {}, ...cell))),
  );
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { className: "scroll" }, made);
}

function typeCell(type) {
  return type.map((piece) => (piece.part ? link(piece.part, anchor(piece.part)) : new Text(piece)));
}

function fieldsTable(fields) {
  const rows = fields.map(({ name, isRequired, type, remark }) => [
    [element("code", { text: name, className: isRequired ? "" : "optional" })],
    [...typeCell(type), ...(isRequired ? [] : [optional()])],
    prose(remark),
  ]);
  return table(["field", "type", ""], rows);
}

/** Renders JSON with line breaks between values only. */
function example(value) {
  return element("pre", { text: JSON.stringify(value, null, 1).replace(/\n\s*/g, " ") });
}

const optional = () => element("span", { className: "optional", text: ", optional" });

const anchor = (name) => `#${shown}/${name}`;

/** A section with a heading that can be linked to and searched. */
function article(name, title, ...children) {
  const heading = element("h3", {}, link(title, anchor(name)));
  const made = element("article", {}, heading, ...children);
  made.id = anchor(name).slice(1);
  return made;
}

function section(name, title, ...children) {
  const made = element("section", {}, element("h2", { text: title }), ...children);
  made.id = anchor(name).slice(1);
  return made;
}

function codeTable(codes) {
  return table(
    ["code", ""],
    codes.map(({ code, description }) => [
      [element("code", { text: String(code) })],
      prose(description),
    ]),
  );
}

function title({ info }, file) {
  const files = element("p", { className: "files" }, new Text(`Version ${info.version} · `));
  files.append(link(file, `/docs/${file}`));
  if (file.startsWith("async")) {
    files.append(" · ", link("messages.schema.json", "/docs/messages.schema.json"));
  }
  return [element("h1", { text: info.title }), ...paragraphs(info.description), files];
}

// AsyncAPI

function messageArticle(document, name) {
  const message = document.components.messages[name];
  const { schemas } = document.components;
  const fields = fieldsOf(schemas[nameOf(message.payload)]);
  const made = article(
    name,
    message.title,
    ...paragraphs(message.summary),
    ...paragraphs(message.description),
    ...(fields.length ? [fieldsTable(fields)] : []),
    ...message.examples.map(({ payload }) => example(payload)),
  );
  for (const tag of message.tags ?? []) {
    const badge = element("span", { className: `badge ${tag.name}`, text: tag.name });
    badge.title = tag.description;
    made.querySelector("h3")?.append(badge);
  }
  return made;
}

function asyncapi(document) {
  const { channels, operations, components } = document;
  const { query, headers } = channels.socket.bindings.ws;
  const messagesOf = (operation) =>
    operation.messages.map((one) => messageArticle(document, nameOf(one)));
  const toTry = messagesOf(operations.fromClient);
  operations.fromClient.messages.forEach((one, index) => {
    const target = `#${TRY.id}/${shown}/${nameOf(one)}`;
    toTry[index].append(element("p", { className: "files" }, link("Try it", target)));
  });
  const payloads = Object.values(components.messages).map(({ payload }) => nameOf(payload));
  const parts = partsOf(components.schemas, payloads).map((name) =>
    article(
      name,
      name,
      ...paragraphs(components.schemas[name].description),
      fieldsTable(fieldsOf(components.schemas[name])),
    ),
  );
  return [
    section(
      "connect",
      "Connecting",
      ...paragraphs(
        `A WebSocket at \`${channels.socket.address}\`. ${channels.socket.description}`,
      ),
      element("h4", { text: "Query" }),
      fieldsTable(fieldsOf(query)),
      element("h4", { text: "Headers" }),
      fieldsTable(fieldsOf(headers)),
    ),
    section("from-client", "From a client", ...toTry),
    section("to-client", "To a client", ...messagesOf(operations.toClient)),
    section("parts", "Parts of messages", ...parts),
    section("errors", "Error codes", codeTable(document["x-error-codes"])),
    section("closes", "Close codes", codeTable(document["x-close-codes"])),
  ];
}

// OpenAPI

function resolved(document, thing) {
  if (!thing?.$ref) return thing;
  return thing.$ref
    .slice(2)
    .split("/")
    .reduce((value, key) => value[key], document);
}

function bodyOf(document, { content = {} }) {
  return Object.entries(content).flatMap(([type, { schema = {}, ...media }]) => [
    element("p", {}, element("code", { text: type }), new Text(" "), ...typeCell(typeOf(schema))),
    ...("example" in media ? [example(media.example)] : []),
  ]);
}

function operationArticle(document, path, method, operation, shared) {
  const parameters = [...shared, ...(operation.parameters ?? [])].map((one) => {
    const { name, required, schema = {}, description, in: place } = resolved(document, one);
    return {
      name,
      isRequired: required ?? false,
      type: [...typeOf(schema), ` in ${place}`],
      remark: remarkOn({ ...schema, description }),
    };
  });
  const responses = Object.entries(operation.responses ?? {}).map(([status, one]) => {
    const response = resolved(document, one);
    return [
      [element("code", { text: status })],
      [...prose(response.description ?? ""), ...bodyOf(document, response)],
    ];
  });
  const body = resolved(document, operation.requestBody);
  const made = article(
    operation.operationId ?? `${method} ${path}`,
    path,
    ...paragraphs(operation.summary),
    ...paragraphs(operation.description),
    ...(parameters.length ? [element("h4", { text: "Parameters" }), fieldsTable(parameters)] : []),
    ...(body ? [element("h4", { text: "Body" }), ...bodyOf(document, body)] : []),
    element("h4", { text: "Responses" }),
    table(["status", ""], responses),
  );
  const verb = element("span", { className: "method", text: method.toUpperCase() });
  made.querySelector("h3")?.prepend(verb);
  return made;
}

function openapi(document) {
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) =>
      operationArticle(document, path, method, item[method], item.parameters ?? []),
    ),
  );
  const parts = Object.entries(document.components?.schemas ?? {}).map(([name, schema]) =>
    article(
      name,
      name,
      ...paragraphs(schema.description),
      schema.properties
        ? fieldsTable(fieldsOf(schema, { tag: "" }))
        : element("p", {}, ...typeCell(typeOf(schema))),
    ),
  );
  return [section("operations", "Operations", ...operations), section("parts", "Parts", ...parts)];
}

// The page

function show(id) {
  if (shown === id) return;
  shown = id;
  const isTry = id === TRY.id;
  const document_ = loaded.get(id);
  const sections = isTry ? tried() : document_.openapi ? openapi(document_) : asyncapi(document_);
  const file = DOCUMENTS.find((one) => one.id === id)?.file ?? "";
  const head = isTry
    ? [element("h1", { text: "Try it" }), ...paragraphs(TRY_TEXT)]
    : title(document_, file);
  byId("content").replaceChildren(...head, ...sections);
  byId("contents").replaceChildren(...sections.flatMap(contentsOf));
  for (const tab of byId("documents").querySelectorAll("a")) {
    if (tab.hash === `#${id}`) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  search();
}

function tried() {
  playground ??= new PlaygroundPage(loaded);
  return playground.sections;
}

function contentsOf(made) {
  const heading = element("h2", {}, link(made.querySelector("h2").textContent, `#${made.id}`));
  const entries = [...made.querySelectorAll("article")].map(({ id, firstChild }) => {
    const verb = firstChild.querySelector(".method")?.textContent ?? "";
    const text = firstChild.querySelector("a").textContent;
    return link(`${verb} ${text}`.trim(), `#${id}`, { className: "coded", data: { for: id } });
  });
  return [heading, ...entries];
}

/** Hides all entries but those that contain every search word. */
function search() {
  const input = /** @type {HTMLInputElement} */ (byId("search"));
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hide = (node, hidden) => {
    node.hidden = hidden;
    if (!node.id) return;
    /** @type {HTMLElement | null} */
    const entry = byId("contents").querySelector(`[href="#${CSS.escape(node.id)}"]`);
    if (entry) (entry.closest("h2") ?? entry).hidden = hidden;
  };
  for (const made of byId("content").querySelectorAll("section")) {
    const rows = made.querySelectorAll(":scope > article, :scope > .scroll tbody tr");
    const found = /** @type {HTMLElement[]} */ ([...rows]);
    for (const one of found) {
      const text = one.textContent.toLowerCase();
      hide(one, !words.every((word) => text.includes(word)));
    }
    hide(made, found.length > 0 && found.every((one) => one.hidden));
  }
}

/** Shows the document, or the entry in it, that the URL fragment names. */
function follow() {
  const [id, name, part] = decodeURIComponent(location.hash.slice(1)).split("/");
  const wanted = id === TRY.id || loaded.has(id) ? id : [...loaded.keys()][0];
  show(wanted);
  if (wanted === TRY.id && part) {
    playground?.choose(name, part);
    document.getElementById("try/send")?.scrollIntoView();
  } else if (name) document.getElementById(`${wanted}/${name}`)?.scrollIntoView();
  else scrollTo(0, 0);
}

await Promise.all(DOCUMENTS.map(load));
const tabs = [...DOCUMENTS.filter(({ id }) => loaded.has(id)), TRY];
byId("documents").append(...tabs.map(({ id, title: text }) => link(text, `#${id}`)));
byId("search").addEventListener("input", () => {
  search();
  scrollTo(0, 0);
});
addEventListener("hashchange", follow);
addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target === document.body) {
    event.preventDefault();
    byId("search").focus();
  }
});
follow();

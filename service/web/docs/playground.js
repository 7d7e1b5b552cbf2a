// The playground at /docs#try: connect in either dialect, send messages by forms that are made from
// their schemas, see every frame, cut the connection and resume.

import { button, element } from "../common/dom.js";
import { nameOf } from "./docs_schema.js";
import { formOf } from "./playground_form.js";
import { Playground } from "./playground_socket.js";

/** How many frames are kept. */
const FRAMES_MAX = 300;

/** Frames that come so often that they are hidden at first. */
const FREQUENT = new Set(["game:update", "game:timer", "ping", "pong"]);

const NAMES = { v1: "Protocol v1", classic: "Classic" };

/** Makes the sections of the playground; it keeps its connection while other documents are shown. */
export class PlaygroundPage {
  #documents;
  #dialect = "v1";
  #socket = new Playground({ onChange: () => this.#update(), onSeen: (seen) => this.#add(seen) });
  #form = /** @type {ReturnType<typeof formOf> | null} */ (null);
  /** How many commands have got an id; the same id again would only repeat the first answer. */
  #ids = 0;
  #sections;

  dialect = element("select", { className: "input" });
  who = element("input", { className: "input" });
  state = element("p", { className: "files" });
  connectButton = element("button", { className: "b primary", text: "Connect" });
  cutButton = button("Cut the connection", () => this.#socket.cut(), { className: "b" });
  resumeButton = button("Connect again and resume", () => this.#socket.resume(), {
    className: "b",
  });
  closeButton = button("Disconnect", () => this.#socket.disconnect(), { className: "b" });
  message = element("select", { className: "input" });
  fields = element("div", { className: "try-fields" });
  raw = element("textarea", { className: "input mono" });
  summary = element("p", { className: "files" });
  sendButton = element("button", { className: "b primary", text: "Send" });
  frames = element("ol", { className: "try-frames" });
  showAll = element("input");

  /** @param {Map<string, any>} documents the AsyncAPI documents by dialect */
  constructor(documents) {
    this.#documents = documents;
    this.#sections = [this.#connectSection(), this.#sendSection(), this.#framesSection()];
    this.#useDialect("v1");
    this.#update();
  }

  get sections() {
    return this.#sections;
  }

  /**
   * Fills the form with the example of a message.
   * @param {string} dialect
   * @param {string} name of the message in the document
   */
  choose(dialect, name) {
    if (!this.#messagesOf(dialect).includes(name)) return;
    if (dialect !== this.#dialect) {
      if (this.#socket.state !== "closed") return;
      this.dialect.value = dialect;
      this.#useDialect(dialect);
    }
    this.message.value = name;
    this.#useMessage();
  }

  // Connect

  #connectSection() {
    this.dialect.append(...Object.entries(NAMES).map(([id, text]) => new Option(text, id)));
    this.dialect.addEventListener("change", () => this.#useDialect(this.dialect.value));
    this.who.placeholder = "a name, or a JWT";
    this.who.autocomplete = "off";
    this.who.spellcheck = false;
    this.state.setAttribute("role", "status");
    const form = element(
      "form",
      { className: "try-row" },
      labelled("Dialect", this.dialect),
      labelled("Who", this.who),
      element(
        "div",
        { className: "try-buttons" },
        this.connectButton,
        this.cutButton,
        this.resumeButton,
        this.closeButton,
      ),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#connect();
    });
    return sectionOf("connect", "Connect", form, this.state);
  }

  async #connect() {
    const who = this.who.value.trim();
    try {
      const token = who.split(".").length === 3 ? who : await devToken(who);
      this.#socket.connect(token, this.#dialect);
    } catch (error) {
      this.state.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  #update() {
    const { state, canResume, closedBy } = this.#socket;
    const isClosed = state === "closed";
    this.dialect.disabled = !isClosed;
    this.who.disabled = !isClosed;
    this.connectButton.hidden = !isClosed;
    this.cutButton.hidden = isClosed;
    this.closeButton.hidden = isClosed;
    this.resumeButton.hidden = !(isClosed && canResume);
    this.sendButton.disabled = state !== "open";
    const closed = closedBy ? `Not connected: ${closedBy}.` : "Not connected.";
    const texts = { closed, connecting: "Connecting…", open: "Connected." };
    this.state.textContent = texts[state];
  }

  // Send

  #sendSection() {
    this.message.addEventListener("change", () => this.#useMessage());
    this.raw.rows = 4;
    this.raw.spellcheck = false;
    const form = element(
      "form",
      {},
      labelled("Message", this.message),
      this.summary,
      this.fields,
      labelled("As it is sent", this.raw),
      element("div", { className: "try-buttons" }, this.sendButton),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.sendButton.disabled) this.#send();
    });
    return sectionOf("send", "Send", form);
  }

  #useDialect(dialect) {
    this.#dialect = dialect;
    const { components } = this.#documents.get(dialect);
    const options = this.#messagesOf(dialect).map(
      (name) => new Option(components.messages[name].title, name),
    );
    this.message.replaceChildren(...options);
    this.#useMessage();
  }

  #messagesOf(dialect) {
    return this.#documents.get(dialect)?.operations.fromClient.messages.map(nameOf) ?? [];
  }

  #useMessage() {
    const { messages, schemas } = this.#documents.get(this.#dialect).components;
    const message = messages[this.message.value];
    this.summary.textContent = (message.summary ?? "").replaceAll("`", "");
    const form = formOf(schemas[nameOf(message.payload)], schemas, {
      onInput: () => this.#write(form.read()),
    });
    this.#form = form;
    this.fields.replaceChildren(...form.fields);
    const example = message.examples?.[0]?.payload ?? {};
    this.#fill("id" in example ? { ...example, id: this.#newId() } : example);
  }

  #send() {
    this.#socket.send(this.raw.value);
    const message = this.#form?.read();
    if (message?.id) this.#fill({ ...message, id: this.#newId() });
  }

  #newId() {
    this.#ids += 1;
    return `try-${this.#ids}`;
  }

  #fill(message) {
    this.#form?.write(message);
    this.#write(message);
  }

  #write(message) {
    this.raw.value = JSON.stringify(message);
  }

  // Frames

  #framesSection() {
    this.frames.tabIndex = 0;
    this.frames.setAttribute("aria-label", "Frames, newest first");
    this.showAll.type = "checkbox";
    this.showAll.addEventListener("change", () => {
      this.frames.classList.toggle("shows-all", this.showAll.checked);
    });
    const all = element(
      "label",
      { className: "check" },
      this.showAll,
      new Text("states and timers, too"),
    );
    const clear = button("Clear", () => this.frames.replaceChildren(), { className: "b s" });
    return sectionOf(
      "frames",
      "Frames",
      element("div", { className: "try-buttons" }, all, clear),
      this.frames,
    );
  }

  /** @param {import("./playground_socket.js").Seen} seen */
  #add({ kind, text, message }) {
    const type = message?.type ?? "";
    const marks = { sent: "→", received: "←", note: "·" };
    const at = element("time", { text: new Date().toISOString().slice(11, 23) });
    const head = element(
      "summary",
      {},
      at,
      element("span", { className: kind, text: marks[kind] }),
      element("b", { text: type }),
      element("code", { text: text.length > 160 ? `${text.slice(0, 160)}…` : text }),
    );
    const whole = message === undefined ? text : JSON.stringify(message, null, 2);
    const row = element("li", { className: FREQUENT.has(type) ? "frequent" : "" });
    row.append(
      kind === "note"
        ? element("p", {}, at, element("span", { text: "·" }), element("span", { text }))
        : element("details", {}, head, element("pre", { text: whole })),
    );
    this.frames.prepend(row);
    while (this.frames.children.length > FRAMES_MAX) this.frames.lastChild?.remove();
  }
}

function labelled(text, control) {
  return element(
    "label",
    { className: "field" },
    element("span", { className: "label", text }),
    control,
  );
}

function sectionOf(name, title, ...children) {
  const made = element("section", {}, element("h2", { text: title }), ...children);
  made.id = `try/${name}`;
  return made;
}

/** A token for a name, of a service in development mode. */
async function devToken(name) {
  const body = JSON.stringify({ name: name || "Playground" });
  const answer = await fetch("/dev/token", { method: "POST", body }).catch(() => null);
  if (answer === null) throw new Error("The service does not answer.");
  if (answer.status === 404) {
    throw new Error("This service issues no tokens for names: enter a JWT (`ws-service token`).");
  }
  const { token, message } = await answer.json();
  if (!answer.ok) throw new Error(message);
  return token;
}

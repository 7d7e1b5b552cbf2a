// The form for a room of one's own, made from the options that the chosen game describes.

import { element, keyed, part, setText } from "../common/dom.js";
import { roomUrl } from "./rooms.js";

/** A JSON Schema of one option. @typedef {{type?: string, enum?: any[], minimum?: number,
 *   maximum?: number, exclusiveMinimum?: number, exclusiveMaximum?: number, default?: any,
 *   description?: string, title?: string, anyOf?: any[]}} Option */

const NONE = Object.freeze({});

export class RoomForm {
  #form;
  #app;
  #game = "";
  /** The options that the fields are for. @type {Record<string, Option> | null} */ #shown = null;

  /**
   * @param {HTMLFormElement} form
   * @param {import("./main.js").App} app
   */
  constructor(form, app) {
    this.#form = form;
    this.#app = app;
    form.addEventListener("change", () => this.render());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create();
    });
  }

  /** Shows the games that there are, and the options of the chosen one. */
  render() {
    const games = this.#app.games;
    keyed(
      part(this.#form, "games"),
      games,
      ({ name }) => name,
      ({ name, title }) => radio("game", name, title, name === games[0].name),
    );
    const data = new FormData(this.#form);
    const game = String(data.get("game") ?? games[0]?.name ?? "");
    this.#game = game;
    if (this.#properties !== this.#shown) {
      this.#shown = this.#properties;
      part(this.#form, "options").replaceChildren(...this.#fields());
    }
    const needsPassword = data.get("visibility") === "password";
    part(this.#form, "password-field").hidden = !needsPassword;
    this.#input("password").required = needsPassword;
    setText(part(this.#form, "problem"), "");
  }

  focus() {
    this.#form.scrollIntoView({ block: "center" });
    this.#input("title").focus();
  }

  /** @returns {Record<string, Option>} */
  get #properties() {
    return this.#app.gameOf(this.#game).options?.properties ?? NONE;
  }

  #input(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }

  #fields() {
    return Object.entries(this.#properties).map(([name, option]) => fieldOf(name, plain(option)));
  }

  get #options() {
    const options = {};
    for (const name of Object.keys(this.#properties)) {
      const input = this.#input(`option:${name}`);
      if (input.type === "checkbox") options[name] = input.checked;
      else if (input.value !== "") {
        options[name] = input.dataset.type === "text" ? input.value : Number(input.value);
      }
    }
    return options;
  }

  async #create() {
    const data = new FormData(this.#form);
    const title = String(data.get("title") ?? "").trim();
    const options = { ...this.#options, reconnect_grace_s: Number(data.get("grace")) };
    try {
      const { roomId } = await this.#app.request({
        type: "room:create",
        game: this.#game,
        options,
        visibility: data.get("visibility"),
        ...(title && { metadata: { title } }),
        ...(data.get("visibility") === "password" && { password: data.get("password") }),
        ...(!data.get("watch") && { maxSpectators: 0 }),
      });
      this.#app.go(roomUrl(roomId));
    } catch (error) {
      // It belongs to the form: which option, its range, what to do.
      setText(part(this.#form, "problem"), /** @type {Error} */ (error).message);
    }
  }
}

/** The described kind of an option that may also be null. @param {Option} option @returns {Option} */
function plain(option) {
  const one = option.anyOf?.find(({ type }) => type !== "null");
  return one ? { ...one, ...option } : option;
}

/** @param {string} name @param {Option} option */
function fieldOf(name, option) {
  const unit = { s: "s", ms: "ms" }[name.split("_").at(-1) ?? ""] ?? "";
  const words = (unit ? name.slice(0, -unit.length - 1) : name).replaceAll("_", " ");
  const label = option.title ?? words.charAt(0).toUpperCase() + words.slice(1);
  const id = `option:${name}`;
  if (option.type === "boolean") {
    const check = input({ type: "checkbox", name: id });
    check.checked = Boolean(option.default);
    return element("label", { className: "check" }, check, label);
  }
  const control = option.enum ? choice(id, option) : input({ ...numbersOf(option), name: id });
  control.id = id;
  const hint = [option.description, rangeOf(option, unit)].filter(Boolean).join(" ");
  control.setAttribute("aria-describedby", `${id}-hint`);
  return element(
    "div",
    { className: "field" },
    element("label", {
      className: "label",
      text: unit ? `${label} (${unit})` : label,
      attrs: { for: id },
    }),
    control,
    element("span", { className: "hint", text: hint, attrs: { id: `${id}-hint` } }),
  );
}

/** @param {Record<string, string>} attrs */
function input(attrs) {
  const className = attrs.type === "checkbox" ? "" : "input";
  const made = /** @type {HTMLInputElement} */ (element("input", { className, attrs }));
  made.dataset.type = attrs.type === "text" ? "text" : "number";
  return made;
}

/** @param {Option} option @returns {Record<string, string>} */
function numbersOf(option) {
  const { type, minimum, maximum } = option;
  const value = option.default == null ? "" : String(option.default);
  if (type !== "number" && type !== "integer") return { type: "text", value };
  const attrs = {
    type: "number",
    inputmode: "decimal",
    value,
    step: type === "integer" ? "1" : "any",
  };
  if (minimum != null) attrs.min = String(minimum);
  if (maximum != null) attrs.max = String(maximum);
  return attrs;
}

/** @param {string} name @param {Option} option */
function choice(name, option) {
  const made = /** @type {HTMLSelectElement} */ (element("select", { attrs: { name } }));
  for (const value of option.enum ?? []) {
    made.append(new Option(String(value), String(value), false, value === option.default));
  }
  made.dataset.type = typeof option.enum?.[0] === "number" ? "number" : "text";
  return made;
}

/** @param {Option} option @param {string} unit */
function rangeOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }, unit) {
  const least = minimum ?? exclusiveMinimum;
  const most = maximum ?? exclusiveMaximum;
  const end = unit ? ` ${unit}.` : ".";
  if (least == null && most == null) return "";
  if (least == null) return `At most ${most}${end}`;
  if (most == null) return `At least ${least}${end}`;
  return `${exclusiveMinimum == null ? "From" : "Above"} ${least} to ${most}${end}`;
}

/**
 * One of a few, for a segment.
 * @param {string} name
 * @param {string} value
 * @param {string} label
 * @param {boolean} checked
 */
export function radio(name, value, label, checked) {
  const made = input({ type: "radio", name, value });
  made.className = "";
  made.checked = checked;
  return element("label", {}, made, label);
}

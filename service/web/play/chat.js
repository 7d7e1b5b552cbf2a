// A chat: what was said, and a field to say something.

import { clone, element, setText } from "../common/dom.js";

const LINES_MAX = 200;

/** @typedef {{id: number | string, name: string}} Author */
/** @typedef {{chatId: string, from: Author, text: string, sentAt?: string}} Line */

export class Chat {
  #log;
  #field;
  #sideOf;
  /** Ids of the displayed messages, since a history repeats them. @type {Set<string>} */
  #shown = new Set();
  /** Users whose lines are hidden. @type {Set<string>} */
  #muted = new Set();

  /**
   * @param {{title: string, say: (text: string) => void, label?: string,
   *   sideOf: (userId: number | string) => "you" | "other" | ""}} options
   *   `sideOf` returns the colour of an author's name
   */
  constructor({ title, say, sideOf, label = title }) {
    this.root = clone("t-chat");
    this.#sideOf = sideOf;
    this.#log = /** @type {HTMLElement} */ (this.root.querySelector("ol"));
    this.#field = /** @type {HTMLInputElement} */ (this.root.querySelector("input"));
    this.root.setAttribute("aria-label", label);
    this.#log.setAttribute("aria-label", "What was said");
    setText(/** @type {Element} */ (this.root.querySelector("h2")), title);
    this.root.querySelector("form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#field.value.trim();
      if (text) say(text);
      this.#field.value = "";
    });
  }

  /** @returns {HTMLElement} where the chat says how many listen, or the like */
  get note() {
    return /** @type {HTMLElement} */ (this.root.querySelector('[data-part="note"]'));
  }

  /** @param {number} lengthMax of a message, in characters */
  set lengthMax(lengthMax) {
    this.#field.maxLength = lengthMax;
  }

  focus() {
    this.#field.focus();
  }

  clear() {
    this.#shown.clear();
    this.#log.replaceChildren();
  }

  /** @param {Line[]} lines */
  history(lines) {
    for (const line of lines) this.said(line);
  }

  /**
   * Hides the lines of a user, or shows them again.
   * @param {number | string} userId
   * @param {boolean} isMuted
   */
  mute(userId, isMuted) {
    if (isMuted) this.#muted.add(String(userId));
    else this.#muted.delete(String(userId));
    for (const line of /** @type {HTMLElement[]} */ ([...this.#log.children])) {
      if (line.dataset.userId === String(userId)) line.hidden = isMuted;
    }
  }

  /** @param {Line} line */
  said({ chatId, from, text, sentAt }) {
    if (this.#shown.has(chatId)) return;
    this.#shown.add(chatId);
    const when = sentAt ? new Date(sentAt) : new Date();
    const name = element("b", { className: this.#sideOf(from.id), text: from.name });
    const line = element(
      "li",
      { data: { userId: String(from.id) } },
      timeOf(when),
      name,
      ` ${text}`,
    );
    line.hidden = this.#muted.has(String(from.id));
    this.#add(line);
  }

  /** @param {string} text that nobody said: who came, who watches */
  event(text) {
    this.#add(element("li", { className: "event", text }));
  }

  #add(line) {
    const log = this.#log;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(line);
    while (log.children.length > LINES_MAX) log.firstElementChild?.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }
}

/** @param {Date} when */
function timeOf(when) {
  const text = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return element("time", { text, attrs: { datetime: when.toISOString() } });
}

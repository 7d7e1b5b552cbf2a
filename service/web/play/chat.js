// The chat of the room that is shown.

import { byId, element, setText } from "../common/dom.js";

const LINES_MAX = 200;

export class Chat {
  #say;
  #sideOf;
  #roomId = "";
  /** Ids of the displayed messages, since a history repeats them. @type {Set<string>} */
  #shown = new Set();

  /**
   * @param {{say: (roomId: string, text: string) => void,
   *   sideOf: (userId: number | string) => "you" | "other" | ""}} ports
   *   `sideOf` returns the colour of a player's name
   */
  constructor({ say, sideOf }) {
    this.#say = say;
    this.#sideOf = sideOf;
    byId("chat").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = /** @type {HTMLInputElement} */ (byId("chat-text"));
      const text = field.value.trim();
      if (text && this.#roomId) this.#say(this.#roomId, text);
      field.value = "";
    });
  }

  /**
   * Shows another room, or none.
   * @param {string} roomId
   */
  open(roomId) {
    if (roomId === this.#roomId) return;
    this.#roomId = roomId;
    this.#shown.clear();
    byId("chat-log").replaceChildren();
  }

  /** @param {number} lengthMax of a message, in characters */
  set lengthMax(lengthMax) {
    /** @type {HTMLInputElement} */ (byId("chat-text")).maxLength = lengthMax;
  }

  /** @param {{roomId: string, messages: any[]}} history */
  history({ roomId, messages }) {
    for (const message of messages) this.said({ ...message, roomId });
  }

  /** @param {{roomId?: string, chatId: string, from: {id: number | string, name: string}, text: string}} message */
  said({ roomId, chatId, from, text }) {
    if (!roomId || roomId !== this.#roomId || this.#shown.has(chatId)) return;
    this.#shown.add(chatId);
    const log = byId("chat-log");
    const name = element("strong", { className: this.#sideOf(from.id), text: from.name });
    log.append(element("li", {}, name, ` ${text}`));
    while (log.children.length > LINES_MAX) log.firstElementChild?.remove();
    log.scrollTop = log.scrollHeight;
  }

  /** @param {number} count of spectators */
  set watching(count) {
    setText(byId("watching"), count ? `${count} watching` : "");
  }
}

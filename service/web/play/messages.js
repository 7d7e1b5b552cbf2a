// Messages between two users, each conversation a chat of its own beside the lobby.

import { button, icon } from "../common/dom.js";
import { Chat } from "./chat.js";
import { openTalks, talks } from "./talks.js";

/** @typedef {{id: number | string, name: string}} User */

export class Messages {
  #root;
  #app;
  #muted;
  /** @type {Map<string, Chat>} */ #open = new Map();

  /**
   * @param {HTMLElement} root
   * @param {import("./main.js").App} app
   * @param {(userId: number | string, isMuted: boolean) => void} muted
   */
  constructor(root, app, muted) {
    this.#root = root;
    this.#app = app;
    this.#muted = muted;
    const said = (user, line) => this.#chat(user).said(line);
    openTalks.add(said);
    app.atEnd(() => openTalks.delete(said));
    for (const { user, lines } of talks.values()) this.#chat(user).history(lines);
  }

  /** @param {User} user */
  open(user) {
    this.#chat(user).focus();
  }

  /** @param {User} user */
  #chat(user) {
    const key = String(user.id);
    const known = this.#open.get(key);
    if (known) return known;
    const chat = new Chat({
      title: user.name,
      label: `Messages with ${user.name}`,
      say: (text) => this.#app.act({ type: "chat:send", to: user.id, text }),
      sideOf: (userId) => (userId === user.id ? "other" : "you"),
    });
    chat.lengthMax = this.#app.client.limits?.chatLengthMax ?? 500;
    const options = { className: "b s quiet" };
    const mute = button("Mute", () => this.#mute(user, chat, mute), options);
    const close = button("", () => this.#close(key), { className: "b s icon quiet" });
    close.append(icon("close"));
    close.setAttribute("aria-label", `Close the messages with ${user.name}`);
    chat.note.className = "actions";
    chat.note.append(mute, close);
    this.#open.set(key, chat);
    this.#root.append(chat.root);
    return chat;
  }

  /** A muted user's messages are sent neither here nor in rooms and the lobby. */
  async #mute(user, chat, mute) {
    const muted = mute.textContent === "Mute";
    if (!(await this.#app.act({ type: "chat:mute", userId: user.id, muted }))) return;
    mute.textContent = muted ? "Unmute" : "Mute";
    chat.mute(user.id, muted);
    this.#muted(user.id, muted);
    this.#app.toast(
      muted
        ? `You no longer get messages of ${user.name}.`
        : `You get messages of ${user.name} again.`,
    );
  }

  #close(key) {
    this.#open.get(key)?.root.remove();
    this.#open.delete(key);
    talks.delete(key);
  }
}

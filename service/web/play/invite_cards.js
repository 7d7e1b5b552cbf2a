// The cards of received invitations; loaded with the first one.

import { avatar, clone, part, setText } from "../common/dom.js";

/** How long the end of an invite is shown. */
const OVER_SHOWN_MS = 4_000;
const TICK_MS = 250;

const ARRIVALS = "ws-service.invites";

/** @typedef {{from: {id: number | string, name: string}, game: string}} Received */

export class InviteCards {
  #root;
  #app;
  #changed;
  /** The open invites by the inviter: their cards, and when they expire by `Date.now()`.
   * @type {Map<string, {card: HTMLElement, from: any, until: number, lastsMs: number}>} */
  #open = new Map();
  #timer = 0;

  /**
   * @param {HTMLElement} root
   * @param {import("./main.js").App} app
   * @param {() => void} changed is called when `count` has changed
   */
  constructor(root, app, changed) {
    this.#root = root;
    this.#app = app;
    this.#changed = changed;
  }

  /** @returns {number} how many can be accepted */
  get count() {
    return this.#open.size;
  }

  /** @param {Map<number | string, unknown>} users who are online */
  online(users) {
    for (const [key, { from }] of this.#open)
      if (!users.has(from.id)) this.over(key, `${from.name} has gone offline.`);
  }

  /** Forgets all, as at the beginning of the present state. */
  clear() {
    for (const { card } of this.#open.values()) card.remove();
    this.#open.clear();
    this.#shown();
  }

  /** @param {Received} invite */
  received({ from, game }) {
    const key = String(from.id);
    this.#open.get(key)?.card.remove();
    const card = this.#card(from, game);
    const lastsMs = this.#app.client.limits?.inviteTtlMs ?? 0;
    const until = lastsMs ? arrivedAt(`${key} ${game}`, lastsMs) + lastsMs : 0;
    this.#open.set(key, { card, from, until, lastsMs });
    this.#root.append(card);
    this.#shown();
    this.#tick();
  }

  #card(from, game) {
    const answer = async (type) => {
      this.#drop(String(from.id));
      await this.#app.act({ type, from: from.id });
    };
    const card = clone("t-invite");
    card.dataset.userId = String(from.id);
    card.prepend(avatar(from.name));
    setText(part(card, "from"), from.name);
    setText(part(card, "game"), this.#app.gameOf(game).title);
    part(card, "accept").addEventListener("click", () => answer("invite:accepted"));
    part(card, "decline").addEventListener("click", () => answer("invite:declined"));
    return card;
  }

  /** The time left is no live text: it would be read out each second. */
  #tick() {
    const now = Date.now();
    for (const { card, until, lastsMs } of this.#open.values()) {
      const leftMs = Math.max(0, until - now);
      const bar = /** @type {HTMLElement} */ (card.querySelector(".left"));
      bar.hidden = !until;
      bar.style.transform = `scaleX(${lastsMs ? leftMs / lastsMs : 1})`;
      const words = until ? `Open for ${Math.ceil(leftMs / 1000)} s more` : "Open";
      setText(part(card, "left"), words);
    }
    clearTimeout(this.#timer);
    if (this.#open.size) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  /** Shows for a moment why it can't be accepted any more. */
  over(key, words) {
    const invite = this.#open.get(key);
    if (!invite) return;
    this.#open.delete(key);
    const { card } = invite;
    card.classList.add("over");
    card.querySelector(".actions")?.remove();
    card.querySelector(".left")?.remove();
    setText(part(card, "left"), words);
    setTimeout(() => {
      card.remove();
      this.#shown();
    }, OVER_SHOWN_MS);
    this.#shown();
  }

  #drop(key) {
    this.#open.get(key)?.card.remove();
    this.#open.delete(key);
    this.#shown();
  }

  #shown() {
    this.#root.hidden = this.#root.childElementCount === 0;
    this.#changed();
  }
}

/**
 * When an invite has arrived, also if that was before a reload of the page.
 * @param {string} key
 * @param {number} lastsMs
 * @returns {number} as `Date.now()`
 */
function arrivedAt(key, lastsMs) {
  const now = Date.now();
  try {
    const known = JSON.parse(sessionStorage.getItem(ARRIVALS) ?? "{}");
    const fresh = Object.entries(known).filter(([, at]) => at > now - lastsMs && at <= now);
    const arrivals = { [key]: now, ...Object.fromEntries(fresh) };
    sessionStorage.setItem(ARRIVALS, JSON.stringify(arrivals));
    return arrivals[key];
  } catch {
    return now; // Storage may be disabled.
  }
}

// Who is online: their status, invites, messages, mutes; and one's own status.

import { avatar, button, clone, keyed, part, setText } from "../common/dom.js";
import { roomUrl } from "./rooms.js";

const ROWS_MAX = 9;
const ROWS_MORE_MAX = 300;
/** The search field is shown from this many others on. */
const FILTER_FROM = 9;

/** Words and signs by status, in the order in which users are listed. */
const STATUS = {
  lobby: ["In the lobby", ""],
  playing: ["Playing", "playing"],
  online: ["Elsewhere", ""],
  busy: ["Busy", "away"],
  away: ["Away", "away"],
};

/** @typedef {{id: number | string, name: string, status: keyof typeof STATUS}} User */

export class People {
  #root;
  #app;
  #rooms;
  #message;
  /** The user whose row asks for the game of an invite. */
  #asks = "";
  #showsAll = false;

  /**
   * @param {HTMLElement} root
   * @param {import("./main.js").App} app
   * @param {import("./rooms.js").Rooms} rooms
   * @param {(user: User) => void} message opens the messages with a user
   */
  constructor(root, app, rooms, message) {
    this.#root = root;
    this.#app = app;
    this.#rooms = rooms;
    this.#message = message;
    part(root, "filter").addEventListener("input", () => this.render());
    part(root, "more").addEventListener("click", () => {
      this.#showsAll = true;
      this.render();
    });
    this.#status.addEventListener("change", () =>
      app.act({ type: "user:status", status: this.#status.value }),
    );
    app.on("users", () => this.render());
    app.on("invite:sent", ({ to }) => this.#mark(to.id, true));
    app.on("invite:declined", ({ from }) => {
      app.toast(`${app.client.users.get(from)?.name ?? "Your opponent"} declined.`);
      this.#mark(from, false);
    });
    app.on("invite:expired", ({ to }) => this.#mark(to, false));
    app.whenOnline(() => this.render());
  }

  get #status() {
    return /** @type {HTMLSelectElement} */ (part(this.#root, "status"));
  }

  #mark(userId, isInvited) {
    if (isInvited) this.#app.invited.add(String(userId));
    else this.#app.invited.delete(String(userId));
    this.render();
  }

  render() {
    const users = [...this.#app.client.users.values()];
    const meId = this.#app.me?.id;
    const me = users.find(({ id }) => id === meId);
    const others = users.filter(({ id }) => id !== meId);
    const filter = /** @type {HTMLInputElement} */ (part(this.#root, "filter"));
    const words = filter.value.trim().toLowerCase();
    const found = words ? others.filter(({ name }) => name.toLowerCase().includes(words)) : others;
    const rank = ({ status }) => Object.keys(STATUS).indexOf(status);
    found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
    const shownMax = this.#showsAll || words ? ROWS_MORE_MAX : ROWS_MAX;

    setText(part(this.#root, "count"), String(users.length));
    part(this.#root, "me").hidden = !me;
    if (me) this.#renderMe(me);
    keyed(
      part(this.#root, "list"),
      found.slice(0, shownMax),
      ({ id }) => String(id),
      (user) => this.#row(user),
      (row, user) => this.#renderRow(row, user),
    );
    const left = found.length - shownMax;
    part(this.#root, "more-place").hidden = left <= 0;
    setText(part(this.#root, "more"), `${left} more`);
    part(this.#root, "filter-place").hidden = others.length < FILTER_FROM && !words;
    part(this.#root, "alone").hidden = others.length > 0 || !me;
  }

  #renderMe({ name, status }) {
    const row = part(this.#root, "me");
    setText(part(row, "name"), name);
    row.querySelector(".avatar")?.replaceWith(avatar(name, "you"));
    const own = status === "busy" || status === "away" ? status : "online";
    if (this.#status !== document.activeElement) this.#status.value = own;
  }

  /** @param {User} user */
  #row(user) {
    const row = clone("t-person");
    row.dataset.userId = String(user.id);
    row.prepend(avatar(user.name));
    part(row, "name").setAttribute("href", `/player/${encodeURIComponent(user.id)}`);
    setText(part(row, "message-words"), `Message ${user.name}`);
    part(row, "message").addEventListener("click", () => this.#message(user));
    part(row, "invite").addEventListener("click", () => this.#ask(String(user.id)));
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {User} user
   */
  #renderRow(row, user) {
    const id = String(user.id);
    const [words, sign] = STATUS[user.status];
    const isInvited = this.#app.invited.has(id);
    const match = this.#rooms.playedBy(user.id);
    setText(part(row, "name"), user.name);
    part(row, "dot").className = `dot ${sign}`;
    setText(part(row, "where"), match ? this.#app.gameOf(match.game).title : words);
    const watch = part(row, "watch");
    watch.hidden = !match;
    if (match) watch.setAttribute("href", roomUrl(match.roomId));
    watch.setAttribute("aria-label", `Watch ${user.name}`);
    const invite = /** @type {HTMLButtonElement} */ (part(row, "invite"));
    invite.hidden = user.status === "playing" && !isInvited;
    invite.disabled = isInvited || user.status === "busy";
    setText(invite, isInvited ? "Invited" : "Invite");
    invite.setAttribute("aria-label", `${invite.textContent} ${user.name}`);
    invite.setAttribute("aria-expanded", String(this.#asks === id));
    this.#renderAsk(part(row, "ask"), user);
  }

  /** The games to choose from, below the row that asks. */
  #renderAsk(place, user) {
    place.hidden = this.#asks !== String(user.id);
    if (place.hidden) return place.replaceChildren();
    const games = this.#app.games.filter(({ seats }) => seats.min <= 2 && seats.max >= 2);
    keyed(
      place,
      games,
      ({ name }) => name,
      ({ name, title }) =>
        button(title, () => this.#invite(user, name), { className: "b s", data: { invite: name } }),
    );
  }

  #ask(id) {
    this.#asks = this.#asks === id ? "" : id;
    this.render();
    const first = this.#root.querySelector(`[data-user-id="${CSS.escape(id)}"] .ask button`);
    /** @type {HTMLElement | null} */ (first)?.focus();
  }

  async #invite(user, game) {
    this.#asks = "";
    this.#mark(user.id, true);
    if (!(await this.#app.act({ type: "invite", to: user.id, game }))) this.#mark(user.id, false);
  }
}

// The start page: who is online, invitations, the queue for a match.

import { button, byId, element, setText } from "./dom.js";
import { toast } from "./notices.js";

const ROWS_MAX = 200;
const FILTER_FROM = 13;
const INVITE_TTL_MS = 60_000;
const ALREADY_QUEUED = /QUEUE|SEARCH/;

/** @typedef {{id: number | string, name: string}} User */

export class Lobby {
  #send;
  /** @type {User | null} */ #me = null;
  /** @type {Map<string, User>} */ #users = new Map();
  /** @type {Set<string>} */ #present = new Set();
  /** Invited by this page, with the timer that ends the wait. @type {Map<string, number>} */
  #invited = new Map();
  #lastInvited = "";
  /** @type {Map<string, {row: HTMLElement, timer: number}>} */ #received = new Map();
  #searching = false;

  /** @param {(message: {type: string}) => boolean} send */
  constructor(send) {
    this.#send = send;
    byId("queue").addEventListener("click", () => this.#toggleQueue());
    byId("filter").addEventListener("input", () => this.#renderPeople());
  }

  /**
   * A connection is there: what is pending comes anew from the server.
   * @param {User} me
   */
  welcome(me) {
    if (this.#me?.id !== me.id) {
      this.#users.clear();
      byId("online").replaceChildren();
    }
    this.#me = me;
    this.clear();
  }

  /**
   * The page shows the lobby.
   * @param {string} [note] what the user should know first
   */
  enter(note = "") {
    this.#send({ type: "lobby:join" });
    // Its members hear of changes only, and a second tab of a member changes nothing.
    this.#send({ type: "lobby:request" });
    // A lost connection may have cost the place in the queue.
    if (this.#searching) this.#send({ type: "matchmaking:join" });
    setText(byId("note"), note);
    byId("note").hidden = !note;
  }

  /** The page leaves the lobby for a match. */
  leave() {
    this.#send({ type: "lobby:leave" });
    this.setSearching(false);
    this.clear();
  }

  /** Forgets invitations, both ways. */
  clear() {
    for (const timer of this.#invited.values()) clearTimeout(timer);
    this.#invited.clear();
    for (const id of [...this.#received.keys()]) this.#forget(id);
    this.#renderPeople();
  }

  /** @param {User[]} users everyone online */
  setUsers(users) {
    this.#users = new Map(users.map((user) => [String(user.id), user]));
    for (const id of [...this.#received.keys()]) if (!this.#users.has(id)) this.#forget(id);
    for (const id of [...this.#invited.keys()]) if (!this.#users.has(id)) this.#uninvite(id);
    this.#renderPeople();
  }

  /** @param {User[]} users those on their start page */
  setPresent(users) {
    this.#present = new Set(users.map(({ id }) => String(id)));
    this.#renderPeople();
  }

  /** @param {User} from */
  inviteReceived(from) {
    const id = String(from.id);
    this.#forget(id);
    const answer = (type) => () => {
      this.#send({ type, from: from.id });
      this.#forget(id);
    };
    const row = element(
      "li",
      { data: { userId: id } },
      element("p", {}, element("strong", { text: from.name }), " wants to play."),
      element(
        "div",
        { className: "actions" },
        button("Accept", answer("invite:accepted"), { className: "primary accept" }),
        button("Decline", answer("invite:declined"), { className: "decline" }),
      ),
    );
    const timer = setTimeout(() => this.#forget(id), INVITE_TTL_MS);
    this.#received.set(id, { row, timer });
    byId("invites").append(row);
    this.#renderInvites();
  }

  /** @param {number | string} from who declined */
  inviteDeclined(from) {
    const user = this.#users.get(String(from));
    this.#uninvite(String(from));
    toast(`${user?.name ?? "Your opponent"} declined.`);
  }

  /** @param {boolean} searching whether the server looks for an opponent */
  setSearching(searching) {
    this.#searching = searching;
    byId("queue").classList.toggle("searching", searching);
    setText(byId("queue"), searching ? "Stop searching" : "Find a match");
    setText(
      byId("queue-hint"),
      searching ? "Looking for an opponent…" : "You meet the next one who searches too.",
    );
  }

  /**
   * An error of the server that may concern this page.
   * @param {{code?: string}} error
   * @returns {boolean} whether it needs no words, since all is as the user wants it
   */
  settlesError({ code = "" }) {
    if (code.startsWith("ALREADY") && ALREADY_QUEUED.test(code)) {
      this.setSearching(true); // Another tab of this user searches.
      return true;
    }
    const isAboutInvite = code.includes("INVITE") || code.startsWith("USER_");
    if (isAboutInvite && !code.startsWith("ALREADY")) this.#uninvite(this.#lastInvited);
    return false;
  }

  #toggleQueue() {
    this.#send({ type: this.#searching ? "matchmaking:leave" : "matchmaking:join" });
  }

  /** @param {User} user */
  #invite(user) {
    const id = String(user.id);
    this.#lastInvited = id;
    this.#invited.set(
      id,
      setTimeout(() => this.#uninvite(id), INVITE_TTL_MS),
    );
    this.#send({ type: "invite", to: user.id });
    this.#renderPeople();
  }

  #uninvite(id) {
    clearTimeout(this.#invited.get(id));
    if (this.#invited.delete(id)) this.#renderPeople();
  }

  #forget(id) {
    const invite = this.#received.get(id);
    if (!invite) return;
    clearTimeout(invite.timer);
    invite.row.remove();
    this.#received.delete(id);
    this.#renderInvites();
  }

  #renderInvites() {
    const count = this.#received.size;
    byId("invites-section").hidden = count === 0;
    document.title = `${count ? `(${count}) ` : ""}Pong · ws-service`;
  }

  /** Rows that stay are kept as elements, so that the focus stays where it is. */
  #renderPeople() {
    const others = [...this.#users.values()].filter(({ id }) => id !== this.#me?.id);
    const words = /** @type {HTMLInputElement} */ (byId("filter")).value.trim().toLowerCase();
    const found = words ? others.filter(({ name }) => name.toLowerCase().includes(words)) : others;
    const rank = ({ id }) => (this.#present.has(String(id)) ? 0 : 1);
    found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));

    const list = byId("online");
    const kept = new Map(
      [...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.userId, row]),
    );
    const me = this.#me && !words ? [this.#me] : [];
    [...me, ...found.slice(0, ROWS_MAX)].forEach((user, place) => {
      const id = String(user.id);
      const row = /** @type {HTMLElement} */ (kept.get(id) ?? this.#row(user));
      kept.delete(id);
      this.#renderRow(row, user);
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    });
    for (const row of kept.values()) row.remove();

    setText(byId("online-count"), String(others.length + (this.#me ? 1 : 0)));
    const left = found.length - ROWS_MAX;
    setText(byId("online-more"), left > 0 ? `and ${left} more` : "");
    byId("filter-label").hidden = others.length < FILTER_FROM && !words;
    byId("alone").hidden = others.length > 0 || !this.#me;
  }

  /** @param {User} user */
  #row(user) {
    const id = String(user.id);
    const row = element(
      "li",
      { data: { userId: id } },
      element("span", { className: "name" }),
      element("span", { className: "where" }),
    );
    if (user.id !== this.#me?.id) {
      row.append(button("Invite", () => this.#invite(user), { data: { invite: id } }));
    }
    return row;
  }

  #renderRow(row, user) {
    const id = String(user.id);
    const isMe = user.id === this.#me?.id;
    const isPresent = this.#present.has(id);
    row.classList.toggle("elsewhere", !isMe && !isPresent);
    setText(row.querySelector(".name"), user.name);
    setText(
      row.querySelector(".where"),
      isMe ? "you" : isPresent ? "in the lobby" : "not in the lobby",
    );
    const invite = row.querySelector("button");
    if (!invite) return;
    invite.disabled = this.#invited.has(id);
    setText(invite, invite.disabled ? "Invited" : "Invite");
    invite.setAttribute("aria-label", `${invite.textContent} ${user.name}`);
  }
}

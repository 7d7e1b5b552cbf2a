// The start page: who is online, invitations, the queue for a match.

import { button, byId, element, setText } from "../common/dom.js";
import { GAMES } from "./games.js";
import { toast } from "./notices.js";

const ROWS_MAX = 200;
const FILTER_FROM = 13;

/** Labels by status, in the order in which users are listed. */
const PLACES = {
  lobby: "in the lobby",
  online: "elsewhere",
  busy: "busy",
  away: "away",
  playing: "playing",
};

/** @typedef {{id: number | string, name: string, status: keyof typeof PLACES}} User */

export class Lobby {
  #act;
  #meId = /** @type {number | string | null} */ (null);
  /** @type {Map<string, User>} */ #users = new Map();
  /** Users with a pending invite from this page. @type {Set<string>} */ #invited = new Set();
  /** The rows of received invitations. @type {Map<string, HTMLElement>} */
  #received = new Map();
  #searching = false;

  /**
   * @param {(command: {type: string}) => Promise<boolean>} act returns whether it was executed
   */
  constructor(act) {
    this.#act = act;
    byId("queue").addEventListener("click", () => this.#toggleQueue());
    byId("filter").addEventListener("input", () => this.#renderPeople());
  }

  /** @param {{id: number | string}} me */
  set me({ id }) {
    this.#meId = id;
  }

  /** @param {string} note shown at the top; may be empty */
  set note(note) {
    setText(byId("note"), note);
    byId("note").hidden = !note;
  }

  /** A lost connection may have ended the search. */
  searchAgain() {
    if (this.#searching) this.#act({ type: "matchmaking:join", game: this.#game });
  }

  /** Clears sent and received invitations. */
  clear() {
    this.#invited.clear();
    for (const id of [...this.#received.keys()]) this.#forget(id);
    this.#renderPeople();
  }

  /** @param {ReadonlyMap<number | string, User>} users everyone online */
  setUsers(users) {
    this.#users = new Map([...users].map(([id, user]) => [String(id), user]));
    for (const id of [...this.#received.keys()]) if (!this.#users.has(id)) this.#forget(id);
    for (const id of [...this.#invited]) if (!this.#users.has(id)) this.#invited.delete(id);
    this.#renderPeople();
  }

  /** @param {{from: {id: number | string, name: string}, game: string}} invite */
  inviteReceived({ from, game }) {
    const id = String(from.id);
    this.#forget(id);
    const answer = (type) => () => {
      this.#act({ type, from: from.id });
      this.#forget(id);
    };
    const row = element(
      "li",
      { data: { userId: id } },
      element(
        "p",
        {},
        element("strong", { text: from.name }),
        ` wants to play ${GAMES[game] ?? game}.`,
      ),
      element(
        "div",
        { className: "actions" },
        button("Accept", answer("invite:accepted"), { className: "primary accept" }),
        button("Decline", answer("invite:declined"), { className: "decline" }),
      ),
    );
    this.#received.set(id, row);
    byId("invites").append(row);
    this.#renderInvites();
  }

  /** @param {{id: number | string}} to the invited user, sent by the server after a reload */
  inviteSent({ id }) {
    this.#invited.add(String(id));
    this.#renderPeople();
  }

  /** @param {number | string} from the user who declined */
  inviteDeclined(from) {
    const user = this.#users.get(String(from));
    this.#uninvite(String(from));
    toast(`${user?.name ?? "Your opponent"} declined.`);
  }

  /** @param {{from: number | string, to: number | string}} invite that expired */
  inviteExpired({ from, to }) {
    this.#forget(String(from));
    this.#uninvite(String(to));
  }

  /** @param {boolean} searching whether the user is in the queue */
  setSearching(searching) {
    this.#searching = searching;
    byId("queue").classList.toggle("searching", searching);
    /** @type {HTMLFieldSetElement} */ (byId("games")).disabled = searching;
    setText(byId("queue"), searching ? "Stop searching" : "Find a match");
    setText(
      byId("queue-hint"),
      searching ? "Looking for an opponent…" : "You play against the next player who searches.",
    );
  }

  /** The game that is chosen for invites and the queue. */
  get #game() {
    const chosen = document.querySelector("#games input:checked");
    return /** @type {HTMLInputElement} */ (chosen).value;
  }

  #toggleQueue() {
    if (this.#searching) this.#act({ type: "matchmaking:leave" });
    else this.#act({ type: "matchmaking:join", game: this.#game });
  }

  /** @param {User} user */
  async #invite(user) {
    const id = String(user.id);
    this.#invited.add(id);
    this.#renderPeople();
    if (!(await this.#act({ type: "invite", to: user.id, game: this.#game }))) this.#uninvite(id);
  }

  #uninvite(id) {
    if (this.#invited.delete(id)) this.#renderPeople();
  }

  #forget(id) {
    this.#received.get(id)?.remove();
    if (this.#received.delete(id)) this.#renderInvites();
  }

  #renderInvites() {
    const count = this.#received.size;
    byId("invites-section").hidden = count === 0;
    document.title = `${count ? `(${count}) ` : ""}Play · ws-service`;
  }

  /** Rows that stay are kept as elements, so that the focus stays where it is. */
  #renderPeople() {
    const others = [...this.#users.values()].filter(({ id }) => id !== this.#meId);
    const words = /** @type {HTMLInputElement} */ (byId("filter")).value.trim().toLowerCase();
    const found = words ? others.filter(({ name }) => name.toLowerCase().includes(words)) : others;
    const rank = ({ status }) => Object.keys(PLACES).indexOf(status);
    found.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));

    const list = byId("online");
    const kept = new Map(
      [...list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.userId, row]),
    );
    const me = this.#users.get(String(this.#meId));
    [...(me && !words ? [me] : []), ...found.slice(0, ROWS_MAX)].forEach((user, place) => {
      const id = String(user.id);
      const row = /** @type {HTMLElement} */ (kept.get(id) ?? this.#row(user));
      kept.delete(id);
      this.#renderRow(row, user);
      if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
    });
    for (const row of kept.values()) row.remove();

    setText(byId("online-count"), String(this.#users.size));
    const left = found.length - ROWS_MAX;
    setText(byId("online-more"), left > 0 ? `and ${left} more` : "");
    byId("filter-label").hidden = others.length < FILTER_FROM && !words;
    byId("alone").hidden = others.length > 0 || !me;
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
    if (user.id !== this.#meId) {
      row.append(button("Invite", () => this.#invite(user), { data: { invite: id } }));
    }
    return row;
  }

  #renderRow(row, user) {
    const id = String(user.id);
    const isMe = user.id === this.#meId;
    row.classList.toggle("elsewhere", !isMe && user.status !== "lobby");
    setText(row.querySelector(".name"), user.name);
    setText(row.querySelector(".where"), isMe ? "you" : PLACES[user.status]);
    const invite = row.querySelector("button");
    if (!invite) return;
    invite.disabled = this.#invited.has(id) || user.status === "playing";
    setText(invite, this.#invited.has(id) ? "Invited" : "Invite");
    invite.setAttribute("aria-label", `${invite.textContent} ${user.name}`);
  }
}

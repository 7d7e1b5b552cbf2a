// The history: matches by filters, which stand in the query of the URL.

import { clone, keyed, part, setText } from "../common/dom.js";
import { HistoryRows } from "./history_rows.js";
import { radio } from "./room_form.js";
import { counted } from "./words.js";

const PAGE = 20;
const DAY_MS = 86_400_000;
const SINCE = { today: 0, week: 7, month: 30 };
const FILTERS = ["user", "of", "game", "result", "opponent", "when"];
const TYPING_MS = 300;

/** @type {import("./places.js").Module["mount"]} */
export function mount(root, app, { query }) {
  app.style("/app/common/lists.css");
  app.style("/app/play/history.css");
  root.append(clone("t-matches"));
  const page = new MatchesPage(root, app);
  page.show(query);
  return { unmount() {}, changed: (params) => page.show(params.query) };
}

class MatchesPage {
  #root;
  #app;
  #query = new URLSearchParams();
  #cursor = /** @type {number | null} */ (null);
  /** The newest search: an older one that is answered later shows nothing. */
  #search = 0;
  #typing = 0;
  /** @type {HistoryRows | null} */ #rows = null;

  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    this.#form.addEventListener("change", () => this.#chosen());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    part(root, "opponent").addEventListener("input", () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#chosen(), TYPING_MS);
    });
    part(root, "older").addEventListener("click", () => this.#load(this.#search));
    part(root, "all").addEventListener("click", () => app.go("/matches?of=all"));
    app.whenOnline(() => this.#rows || this.show(this.#query));
  }

  get #form() {
    return /** @type {HTMLFormElement} */ (part(this.#root, "form"));
  }

  /** From whose side the matches are told; empty for everybody's. */
  get #userId() {
    if (this.#query.get("of") === "all") return "";
    return this.#query.get("user") ?? String(this.#app.me?.id ?? "");
  }

  /** @param {URLSearchParams} query */
  async show(query) {
    this.#query = query;
    this.#showFilters();
    if (!this.#userId && query.get("of") !== "all") return; // Known when the client is online.
    const search = ++this.#search;
    this.#cursor = null;
    this.#rows = new HistoryRows(this.#app, this.#userId);
    part(this.#root, "rows").replaceChildren();
    part(this.#root, "none").hidden = true;
    this.#showFigures(search);
    await this.#load(search);
  }

  #showFilters() {
    const games = [{ name: "", title: "All" }, ...this.#app.games];
    keyed(
      part(this.#root, "games"),
      games,
      ({ name }) => name || "all",
      ({ name, title }) => radio("game", name, title, name === ""),
    );
    for (const name of FILTERS) {
      const field = /** @type {any} */ (this.#form.elements.namedItem(name));
      if (field && "value" in field && document.activeElement !== field) {
        field.value = this.#query.get(name) ?? "";
      }
    }
    part(this.#root, "result").hidden = !this.#userId && this.#query.get("of") === "all";
    const names = [...this.#app.client.users.values()].map(({ name }) => name).slice(0, 50);
    part(this.#root, "names").replaceChildren(...names.map((value) => new Option("", value)));
  }

  async #showFigures(search) {
    const title = part(this.#root, "title");
    const figures = part(this.#root, "figures");
    if (!this.#userId) {
      setText(title, "Matches of everybody");
      setText(figures, "");
      return;
    }
    const player = await this.#app
      .api(`/players/${encodeURIComponent(this.#userId)}`)
      .catch(() => null);
    if (!player || search !== this.#search) return;
    const { won, lost, drawn } = player.record;
    const isMe = player.user.id === this.#app.me?.id;
    setText(title, isMe ? "Matches" : `Matches of ${player.user.name}`);
    setText(
      figures,
      `${counted(won + lost + drawn, "match", "matches")} · ${won} won · ${lost} lost · ${drawn} drawn`,
    );
  }

  #chosen() {
    const data = new FormData(this.#form);
    const query = Object.fromEntries(FILTERS.map((name) => [name, String(data.get(name) ?? "")]));
    query.user = this.#query.get("user") ?? "";
    if (query.of === "all") query.user = query.result = "";
    this.#app.go(this.#app.urlOf("/matches", query), { replace: true });
  }

  async #load(search) {
    const when = this.#query.get("when") ?? "";
    const days = SINCE[when];
    const since =
      days == null
        ? null
        : new Date(days ? Date.now() - days * DAY_MS : new Date().setHours(0, 0, 0, 0));
    const path = this.#app.urlOf("/matches", {
      user: this.#userId,
      game: this.#query.get("game"),
      result: this.#userId ? this.#query.get("result") : "",
      opponent: this.#query.get("opponent"),
      since: since?.toISOString(),
      cursor: this.#cursor == null ? "" : String(this.#cursor),
      limit: String(PAGE),
    });
    const older = /** @type {HTMLButtonElement} */ (part(this.#root, "older"));
    older.disabled = true;
    try {
      const { matches, cursor } = await this.#app.api(path);
      if (search !== this.#search) return;
      this.#cursor = cursor;
      this.#rows?.add(matches);
      this.#showRows();
    } catch (error) {
      this.#app.failed(error);
    }
    older.disabled = false;
    older.hidden = this.#cursor == null;
  }

  #showRows() {
    const list = this.#rows?.list;
    const isEmpty = !list || list.children.length < 2;
    part(this.#root, "none").hidden = !isEmpty;
    part(this.#root, "rows").hidden = isEmpty;
    if (isEmpty) return this.#showNone();
    if (!list.isConnected) part(this.#root, "rows").append(list);
  }

  #showNone() {
    const isFiltered = FILTERS.some(
      (name) => name !== "of" && name !== "user" && this.#query.get(name),
    );
    setText(
      part(this.#root, "none-title"),
      isFiltered ? "No match fits these filters" : "No match yet",
    );
    const words = isFiltered ? this.#wordsOfFilters() : "The first one shows here when it is over.";
    setText(part(this.#root, "none-text"), words);
  }

  #wordsOfFilters() {
    const result = { won: "won", lost: "lost", drawn: "drawn" }[this.#query.get("result") ?? ""];
    const game = this.#query.get("game");
    const opponent = this.#query.get("opponent");
    const words = [result ?? "played"];
    if (opponent) words.push(`against ${opponent}`);
    if (game) words.push(`in ${this.#app.gameOf(game).title}`);
    return `Nothing was ${words.join(" ")}, so far.`;
  }
}

// How somebody plays: figures, the last matches, games, opponents, all from the log.

import { avatar, button, clone, element, glyph, icon, part, setText, svg } from "../common/dom.js";
import { HistoryRows } from "./history_rows.js";
import { copyLink } from "./links.js";
import { Rooms, roomUrl } from "./rooms.js";
import { counted } from "./words.js";

const RECENT_MAX = 8;
const STATUS = {
  lobby: ["In the lobby", ""],
  online: ["Online", ""],
  playing: ["Playing", "playing"],
  busy: ["Busy", "away"],
  away: ["Away", "away"],
};

/** @type {import("./places.js").Module["mount"]} */
export function mount(root, app, { userId = "" }) {
  app.style("/app/common/lists.css");
  app.style("/app/play/history.css");
  root.className = "with-side";
  const page = new PlayerPage(root, app, userId);
  app.whenOnline(() => page.show());
  return { unmount() {} };
}

class PlayerPage {
  #root;
  #app;
  #userId;
  #rooms;
  #player = /** @type {any} */ (null);

  constructor(root, app, userId) {
    this.#root = root;
    this.#app = app;
    this.#userId = userId;
    this.#rooms = new Rooms(app, () => this.#showStatus());
    app.on("users", () => this.#showStatus());
  }

  async show() {
    if (this.#player) return;
    if (this.#userId === "me") this.#userId = String(this.#app.me?.id ?? "");
    try {
      const path = `/players/${encodeURIComponent(this.#userId)}`;
      this.#player = await this.#app.api(path);
    } catch (error) {
      if (/** @type {{status?: number}} */ (error).status === 404)
        this.#root.replaceChildren(clone("t-missing"));
      else this.#app.failed(error);
      return;
    }
    this.#root.replaceChildren(...clone("t-player").children);
    this.#app.title = this.#player.user.name;
    this.#showHead();
    this.#showFigures();
    this.#showLast();
    this.#showGames();
    this.#showOpponents();
    this.#showStatus();
    await this.#showRecent();
  }

  get #isMe() {
    return this.#player?.user.id === this.#app.me?.id;
  }

  #showHead() {
    const { user } = this.#player;
    const head = part(this.#root, "head");
    part(head, "avatar").replaceWith(avatar(user.name, `large ${this.#isMe ? "you" : ""}`));
    setText(part(head, "name"), user.name);
    const copy = button("Copy link", () => copyLink(this.#app, location.href), { className: "b" });
    copy.prepend(icon("link"));
    part(head, "actions").append(copy);
    const mine = this.#player.opponents.find((one) => one.user.id === this.#app.me?.id);
    if (mine && !this.#isMe) this.#showVersus(mine.record);
  }

  /** @param {{won: number, lost: number, drawn: number}} record of the shown player against me */
  #showVersus({ won, lost, drawn }) {
    const { name } = this.#player.user;
    const place = part(this.#root, "versus");
    place.hidden = false;
    setText(part(place, "you"), `You ${lost}`);
    setText(part(place, "them"), `${won} ${name}`);
    place.append(split({ won: lost, lost: won, drawn }, `You won ${lost}, ${name} ${won}`));
  }

  /** What may be done now: watch, invite. It follows who is online. */
  #showStatus() {
    if (!this.#player) return;
    const { user, lastMatchAt } = this.#player;
    const entry = this.#app.client.users.get(user.id);
    const match = this.#rooms.playedBy(user.id);
    const [words, sign] = entry ? STATUS[entry.status] : ["Offline", "away"];
    part(this.#root, "dot").className = `dot ${sign}`;
    const last = lastMatchAt ? ` · last match ${ago(lastMatchAt)}` : "";
    const plays = match ? `Plays ${this.#app.gameOf(match.game).title}` : words;
    setText(part(this.#root, "status"), `${plays}${last}`);
    const watch = part(this.#root, "watch");
    watch.hidden = !match || this.#isMe;
    if (match) watch.setAttribute("href", roomUrl(match.roomId));
    const invite = part(this.#root, "invite");
    invite.hidden = this.#isMe || !entry || match !== undefined || entry.status === "busy";
    if (invite.childElementCount === 0) {
      for (const { name, title } of this.#app.games
        .filter(({ seats }) => seats.max >= 2)
        .slice(0, 2))
        invite.append(
          button(`Invite to ${title}`, () => this.#invite(user, name), { className: "b" }),
        );
    }
  }

  async #invite(user, game) {
    const isSent = await this.#app.act({ type: "invite", to: user.id, game });
    if (isSent) this.#app.toast(`${user.name} is invited.`);
  }

  #showFigures() {
    const { record, streak } = this.#player;
    const { won, lost, drawn } = record;
    const all = won + lost + drawn;
    const row = Math.abs(streak);
    const figures = [
      ["Matches", all],
      ["Won", won, "", "you"],
      ["Lost", lost, "", "other"],
      ["Drawn", drawn],
      ["Won, of all", all ? Math.round((100 * won) / all) : "–", all ? "%" : ""],
      ["In a row now", row, row === 0 ? "" : streak > 0 ? "won" : "lost"],
    ];
    part(this.#root, "figures").replaceChildren(
      ...figures.map(([what, value, unit = "", className = ""]) =>
        element(
          "div",
          {},
          element("dt", { text: String(what) }),
          element(
            "dd",
            { className: String(className), text: String(value) },
            ...(unit ? [element("span", { className: "unit", text: String(unit) })] : []),
          ),
        ),
      ),
    );
    part(this.#root, "not-all").hidden = this.#player.isAll;
  }

  async #showRecent() {
    const id = String(this.#player.user.id);
    const place = part(this.#root, "recent");
    const path = this.#app.urlOf("/matches", { user: id, limit: String(RECENT_MAX) });
    try {
      const { matches } = await this.#app.api(path);
      const rows = new HistoryRows(this.#app, id, false);
      rows.add(matches);
      if (matches.length) place.append(rows.list);
      part(this.#root, "no-matches").hidden = matches.length > 0;
    } catch (error) {
      this.#app.failed(error);
    }
    const more = part(this.#root, "more");
    more.setAttribute("href", this.#isMe ? "/matches" : `/matches?user=${encodeURIComponent(id)}`);
  }

  #showLast() {
    const last = [...this.#player.last].reverse();
    const count = (result) => last.filter((one) => one === result).length;
    const [won, lost, drawn] = ["won", "lost", "drawn"].map(count);
    setText(part(this.#root, "last-words"), last.length ? `${won} won, ${lost} lost` : "");
    part(this.#root, "last-panel").hidden = last.length === 0;
    const label = `Last ${last.length} matches: ${won} won, ${lost} lost, ${drawn} drawn`;
    part(this.#root, "last").replaceWith(barsOf(last, label));
  }

  #showGames() {
    const rows = this.#player.games.map(({ game, record }) =>
      element(
        "li",
        {},
        element("span", { className: "sign" }, glyph(game)),
        element(
          "div",
          { className: "grow" },
          element("b", { text: this.#app.gameOf(game).title }),
          split(record),
        ),
        tally(record),
      ),
    );
    part(this.#root, "games").replaceChildren(...rows);
    part(this.#root, "games-panel").hidden = rows.length === 0;
  }

  #showOpponents() {
    const { opponents, opponentsCount } = this.#player;
    setText(part(this.#root, "opponents-count"), String(opponentsCount));
    part(this.#root, "opponents-panel").hidden = opponents.length === 0;
    part(this.#root, "opponents").replaceChildren(
      ...opponents.slice(0, 8).map(({ user, record }) => {
        const href = `/player/${encodeURIComponent(user.id)}`;
        const count = record.won + record.lost + record.drawn;
        return element(
          "li",
          {},
          avatar(user.name),
          element(
            "div",
            { className: "grow" },
            element("a", { className: "name cut", text: user.name, attrs: { href } }),
            split(record),
          ),
          element(
            "span",
            { className: "num small counts" },
            tally(record),
            element("span", { className: "muted", text: counted(count, "match", "matches") }),
          ),
        );
      }),
    );
  }
}

/** @param {{won: number, lost: number, drawn: number}} record */
function split({ won, lost, drawn }, label = `${won} won, ${lost} lost, ${drawn} drawn`) {
  const made = element("div", { className: "split", attrs: { role: "img", "aria-label": label } });
  for (const [count, className] of /** @type {[number, string][]} */ ([
    [won, "won"],
    [lost, "lost"],
    [drawn, "drawn"],
  ])) {
    if (!count) continue;
    const share = element("i", { className });
    share.style.flexGrow = String(count);
    made.append(share);
  }
  return made;
}

/** @param {{won: number, lost: number}} record */
function tally({ won, lost }) {
  return element(
    "span",
    { className: "num small" },
    element("span", { className: "you", text: String(won) }),
    " : ",
    element("span", { className: "other", text: String(lost) }),
  );
}

/** Won up, lost down, drawn a dot: colour never stands alone. */
function barsOf(last, label) {
  const width = 13.6;
  const bars = last.map((result, place) => {
    const x = place * width + 1.5;
    if (result === "drawn") return svg("circle", { class: "drawn", cx: x + 5.3, cy: 32, r: 3 });
    const y = result === "won" ? 8 : 34;
    return svg("rect", {
      class: result === "won" ? "you" : "other",
      x,
      y,
      width: 10.6,
      height: 22,
      rx: 2,
    });
  });
  const axis = svg("path", { class: "axis", d: "M0 32H272" });
  const attrs = { class: "chart bars", viewBox: "0 0 272 64", role: "img", "aria-label": label };
  return svg("svg", attrs, axis, ...bars);
}

/** @param {string} when */
function ago(when) {
  const s = Math.max(0, (Date.now() - Date.parse(when)) / 1000);
  if (s < 90) return "just now";
  if (s < 5400) return `${Math.round(s / 60)} minutes ago`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} hours ago`;
  return `on ${new Date(when).toLocaleDateString("en", { day: "numeric", month: "long" })}`;
}

// Ready-made games: a click looks for an opponent, or begins against a bot.

import { clone, element, glyph, keyed, part, setText } from "../common/dom.js";
import { roomUrl } from "./rooms.js";
import { minutes } from "./times.js";
import { optionWords } from "./words.js";

const BOT_LEVEL = 2;

/** @typedef {{game: string, title: string, isBot: boolean}} Tile */

export class Quick {
  #root;
  #app;
  /** The searched game, and since when by `Date.now()`. */
  #search = { game: "", since: 0 };
  /** @type {Record<string, number>} */ #waiting = {};
  #isBusy = false;

  /**
   * @param {HTMLElement} root
   * @param {import("./main.js").App} app
   */
  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    app.on("matchmaking:searching", () => this.#searched(this.#search.game));
    app.on("matchmaking:cancelled", () => this.#searched(""));
    app.on(
      "error",
      ({ code }) => code === "ALREADY_SEARCHING" && this.#searched(this.#search.game),
    );
    app.every(1000, () => this.render());
    // A lost connection may have ended the search.
    app.whenOnline(() => this.#search.game && this.#join(this.#search.game));
    app.atEnd(() => this.#search.game && app.send({ type: "matchmaking:leave" }));
    app.whenGames(() => this.render());
  }

  /** @param {Record<string, number>} waiting users by game */
  set waiting(waiting) {
    this.#waiting = waiting;
    this.render();
  }

  render() {
    const games = this.#app.games.filter(({ seats }) => seats.min <= 2);
    const tiles = games.map(({ name, title }) => ({ game: name, title, isBot: false }));
    for (const { name, title, bots } of games)
      if (bots) tiles.push({ game: name, title, isBot: true });
    keyed(
      this.#root,
      tiles,
      ({ game, isBot }) => `${game}${isBot ? "!" : ""}`,
      (tile) => this.#make(tile),
      (button, tile) => this.#update(button, tile),
    );
  }

  /** @param {Tile} tile */
  #make(tile) {
    const { game, title, isBot } = tile;
    const tileButton = clone("t-tile");
    Object.assign(tileButton.dataset, { game, bot: String(isBot) });
    part(tileButton, "sign").append(glyph(game));
    setText(part(tileButton, "title"), title);
    tileButton.addEventListener("click", () => (isBot ? this.#playBot(game) : this.#toggle(game)));
    return tileButton;
  }

  #update(button, { game, isBot }) {
    const isSearching = !isBot && this.#search.game === game;
    const sign = part(button, "sign");
    const spins = Boolean(sign.querySelector(".spin"));
    button.classList.toggle("searching", isSearching);
    button.setAttribute("aria-pressed", String(isSearching));
    if (isBot) button.removeAttribute("aria-pressed");
    if (isSearching !== spins) {
      const spin = element("span", { className: "spin", attrs: { "aria-hidden": "true" } });
      sign.replaceChildren(isSearching ? spin : glyph(game));
    }
    const [what, state] = this.#words(game, isBot, isSearching);
    setText(part(button, "what"), what);
    setText(part(button, "state"), state);
  }

  #words(game, isBot, isSearching) {
    if (isBot) return ["Against a bot", "At once"];
    if (isSearching)
      return [`Looking… ${minutes(Date.now() - this.#search.since)}`, "Press to stop"];
    const waiting = this.#waiting[game] ?? 0;
    return [this.#usual(game), waiting ? `${waiting} waiting` : "Nobody yet"];
  }

  /** What a game is played by, unless a room has other options. */
  #usual(game) {
    const info = this.#app.gameOf(game);
    const properties = Object.entries(info.options?.properties ?? {});
    const usual = properties.map(([name, option]) => [name, option.default]);
    return optionWords(info, Object.fromEntries(usual))[0] ?? "Two players";
  }

  #toggle(game) {
    if (this.#search.game === game) {
      this.#app.act({ type: "matchmaking:leave", game });
      this.#searched("");
    } else {
      this.#join(game);
    }
  }

  async #join(game) {
    const before = this.#search.game;
    if (before && before !== game) this.#app.act({ type: "matchmaking:leave", game: before });
    this.#searched(game);
    if (!(await this.#app.act({ type: "matchmaking:join", game }))) this.#searched("");
  }

  #searched(game) {
    if (game !== this.#search.game) this.#search = { game, since: Date.now() };
    this.render();
  }

  async #playBot(game) {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      const { roomId } = await this.#app.request({
        type: "room:create",
        game,
        visibility: "private",
      });
      await this.#app.request({ type: "room:addBot", roomId, level: BOT_LEVEL });
      this.#app.go(roomUrl(roomId));
    } catch (error) {
      this.#app.failed(error);
    }
    this.#isBusy = false;
  }
}

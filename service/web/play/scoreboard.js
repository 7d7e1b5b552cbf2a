// Who plays, and what stands: points and a clock, or a strip with a clock for each player.

import { byId, element, setText } from "../common/dom.js";
import { minutesLeft } from "./times.js";

/** Below this the clock of a turn is shown in red, and told once. */
export const LOW_MS = 5_000;

/** @typedef {{id: number | string, name: string}} User */
/** @typedef {{turn: number | null, endsAt: number | null, totalMs: number | null,
 *   clocks: {at: number, leftMs: number[]} | null}} Turn times as `performance.now()`; `totalMs` is what a
 *   turn may take */

export class Scoreboard {
  /** @type {"score" | "turns"} */ #layout = "turns";
  /** @type {User[]} */ #players = [];
  #you = 0;
  /** @type {number | null} */ #seat = null;
  /** @type {number[] | null} */ #scores = null;
  /** @type {number | null} */ #pingMs = null;
  /** @type {Set<number>} */ #away = new Set();

  /** @param {"score" | "turns"} layout */
  set layout(layout) {
    this.#layout = layout;
    byId("sides").hidden = layout !== "score";
    byId("turns").hidden = layout !== "turns";
    this.#render();
  }

  /**
   * @param {User[]} players by seat
   * @param {number} you the seat in amber
   * @param {number | null} seat of this user
   */
  seat(players, you, seat) {
    this.#players = players;
    this.#you = you;
    this.#seat = seat;
    this.#render();
  }

  /** @param {Iterable<number>} seats whose players have lost the connection */
  set away(seats) {
    this.#away = new Set(seats);
    this.#render();
  }

  /** @param {number} ms */
  set pingMs(ms) {
    this.#pingMs = Math.round(ms);
    this.#render();
  }

  /** @param {number[]} scores by seat */
  set scores(scores) {
    this.#scores = scores;
    setText(byId("s1"), String(scores[0] ?? 0));
    setText(byId("s2"), String(scores[1] ?? 0));
    this.#render();
  }

  /**
   * The clock of the match.
   * @param {number | null} seconds left; null without a clock
   * @param {number | null} total
   */
  clock(seconds, total = null) {
    byId("time").hidden = seconds === null;
    setText(byId("clock"), seconds === null ? "" : minutesLeft(1000 * seconds));
    const share = total ? Math.min(1, (seconds ?? 0) / total) : 0;
    for (const bar of byId("time").querySelectorAll(".meter > span")) {
      /** @type {HTMLElement} */ (bar).style.width = `${100 * share}%`;
    }
  }

  /**
   * Whose turn it is, and what is left of their time.
   * @param {Turn} turn
   * @param {boolean} isRunning whether the clocks run
   */
  turn({ turn, endsAt, totalMs, clocks }, isRunning) {
    const now = performance.now();
    [...byId("turns").children].forEach((strip, seat) => {
      const isTurn = seat === turn;
      const turnMs = isTurn && endsAt !== null ? Math.max(0, endsAt - now) : totalMs;
      const spentMs = clocks && isTurn && isRunning ? now - clocks.at : 0;
      const leftMs = clocks ? Math.max(0, clocks.leftMs[seat] - spentMs) : turnMs;
      strip.classList.toggle("now", isTurn);
      strip.classList.toggle("mine", seat === this.#you);
      strip.classList.toggle("low", isTurn && leftMs !== null && leftMs <= LOW_MS);
      const [clock, left] = strip.querySelectorAll(".clock, .left");
      setText(/** @type {HTMLElement} */ (clock), leftMs === null ? "" : minutesLeft(leftMs));
      const share = isTurn && totalMs && turnMs !== null ? Math.min(1, turnMs / totalMs) : 0;
      /** @type {HTMLElement} */ (left).style.width = `${100 * share}%`;
    });
  }

  #render() {
    const sides = [...byId("sides").querySelectorAll(".side")];
    sides.forEach((side, seat) => this.#renderPlayer(side, seat));
    const turns = byId("turns");
    while (turns.children.length > this.#players.length) turns.lastElementChild?.remove();
    while (turns.children.length < this.#players.length) turns.append(strip());
    if (this.#layout === "turns") {
      [...turns.children].forEach((one, seat) => this.#renderPlayer(one, seat));
    }
  }

  /** @param {Element} place */
  #renderPlayer(place, seat) {
    const player = this.#players[seat];
    const [avatar, name, sub] = [".avatar", ".name", ".sub"].map(
      (one) => /** @type {HTMLElement} */ (place.querySelector(one)),
    );
    const isYou = seat === this.#you;
    setText(avatar, [...(player?.name ?? "")][0]?.toUpperCase() ?? "");
    avatar.classList.toggle("you", isYou);
    setText(name, player?.name ?? "");
    name.classList.toggle("you", isYou);
    name.classList.toggle("other", !isYou);
    setText(sub, this.#subWords(seat));
    sub.classList.toggle("bad", this.#away.has(seat));
    const points = place.querySelector(".points");
    if (points) setText(/** @type {HTMLElement} */ (points), this.#pointsOf(seat));
  }

  /** @param {number} seat */
  #subWords(seat) {
    if (this.#away.has(seat)) return "Connection lost";
    if (seat !== this.#seat) return "";
    return this.#pingMs === null ? "You" : `You · ${this.#pingMs} ms`;
  }

  /** A single point only says who won. @param {number} seat */
  #pointsOf(seat) {
    return this.#scores?.some((score) => score > 1) ? String(this.#scores[seat] ?? 0) : "";
  }
}

function strip() {
  const timer = element("span", { className: "clock" });
  timer.setAttribute("role", "timer");
  const avatar = element("span", { className: "avatar" });
  avatar.setAttribute("aria-hidden", "true");
  return element(
    "div",
    { className: "turn" },
    avatar,
    element(
      "div",
      { className: "grow" },
      element("b", { className: "player name cut" }),
      element("span", { className: "sub muted small" }),
    ),
    element("span", { className: "points num muted" }),
    timer,
    element("span", { className: "left" }),
  );
}

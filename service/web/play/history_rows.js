// Matches as rows: result, against whom, score or moves, course, how long, when.

import { element, icon, svg } from "../common/dom.js";
import { roomUrl } from "./rooms.js";
import { minutes } from "./times.js";
import { counted } from "./words.js";

const COURSE = { width: 120, height: 28 };
const RESULTS = { won: ["Won", "you"], lost: ["Lost", "other"], drawn: ["Draw", ""] };
const REASONS = {
  left: (name) => `${name} left`,
  forfeit: (name) => `${name} did not come back`,
  turn_timeout: () => "time ran out",
  abandoned: () => "abandoned",
  void: () => "void",
};

/** @typedef {{matchId: string, roomId: string, game: string, players: {id: any, name: string}[],
 *   startedAt: string, endedAt: string | null, ticks: number | null, tickHz: number | null,
 *   reason: string | null, winner: number | null, scores: number[] | null}} Match */

export class HistoryRows {
  #app;
  #userId;
  #lastDay = "";
  /** Asks for the course of a match when its row is about to be seen. */
  #seen = new IntersectionObserver((entries) => this.#nearby(entries), { rootMargin: "200px" });
  /** @type {WeakMap<Element, Match>} */ #matches = new WeakMap();

  /**
   * @param {import("./main.js").App} app
   * @param {string} userId from whose side the matches are told; empty for nobody's
   * @param {boolean} [hasDays] whether rows are grouped by day
   */
  constructor(app, userId, hasDays = true) {
    this.#app = app;
    this.#userId = userId;
    this.hasDays = hasDays;
    const heads = [
      "Result",
      userId ? "Against" : "Who",
      "Score",
      "Game",
      "Course",
      "Took",
      "When",
      "",
    ];
    const cells = heads.map((text, place) => {
      return element("span", { text, className: { 5: "took", 6: "when" }[place] ?? "" });
    });
    const head = element("li", { className: "cols", attrs: { "aria-hidden": "true" } }, ...cells);
    this.list = element("ol", { className: "panel history" }, head);
    app.atEnd(() => this.#seen.disconnect());
  }

  /** @param {Match[]} matches older than those before */
  add(matches) {
    for (const match of matches) {
      const day = dayOf(new Date(match.startedAt));
      if (this.hasDays && day !== this.#lastDay) {
        this.#lastDay = day;
        this.list.append(element("li", { className: "group-day", text: day }));
      }
      const row = this.#row(match);
      this.list.append(row);
      this.#matches.set(row, match);
      if (match.endedAt) this.#seen.observe(row);
    }
  }

  #row(match) {
    const { players, game, scores, ticks, tickHz, endedAt } = match;
    const seat = players.findIndex(({ id }) => String(id) === this.#userId);
    const others = players.filter((_, index) => index !== seat).map(({ name }) => name);
    const name = others.join(seat === -1 ? " – " : ", ") || "Nobody";
    const order =
      seat > 0 ? [seat, ...players.keys()].filter((at, i) => i === 0 || at !== seat) : [];
    const told = scores && order.length ? order.map((at) => scores[at]) : scores;
    const tally = tickHz || !endedAt ? (told ?? []).join(" : ") : counted(ticks ?? 0, "move");
    const when = new Date(match.startedAt);
    const title = this.#app.gameOf(game).title;
    const href = endedAt ? `/replay/${encodeURIComponent(match.matchId)}` : roomUrl(match.roomId);
    const label = `${endedAt ? "Watch again" : "Watch"}: ${title}, ${name}`;
    return element(
      "li",
      { data: { matchId: match.matchId } },
      element("span", { className: "res" }, this.#chip(match, seat)),
      element("a", { className: "cover cut", text: name, attrs: { href, "aria-label": label } }),
      element("span", { className: `tally ${tickHz ? "" : "words"}`, text: tally }),
      element("span", {
        className: "what muted small cut",
        text: [title, reasonOf(match)].filter(Boolean).join(" · "),
      }),
      emptyCourse(),
      element("span", { className: "took num muted small", text: took(match) }),
      element("time", {
        className: "when num muted small",
        text: this.hasDays ? clock(when) : `${shortDay(when)} ${clock(when)}`,
        attrs: { datetime: match.startedAt },
      }),
      element("span", { className: "go" }, icon("play")),
    );
  }

  #chip({ endedAt, reason, winner, players }, seat) {
    if (!endedAt) return element("span", { className: "chip good", text: "Live" });
    if (reason === "void" || (winner === null && reason === "abandoned")) {
      return element("span", { className: "chip", text: "Void" });
    }
    if (seat === -1 && winner !== null) {
      const text = players[winner]?.name ?? "";
      return element("span", {
        className: `chip cut ${winner === 0 ? "you" : "other"}`,
        text,
        attrs: { title: `${text} won` },
      });
    }
    const [text, side] = RESULTS[winner === null ? "drawn" : winner === seat ? "won" : "lost"];
    return element("span", { className: `chip ${side}`, text });
  }

  #nearby(entries) {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      this.#seen.unobserve(target);
      this.#course(target);
    }
  }

  async #course(row) {
    const match = this.#matches.get(row);
    const place = row.querySelector(".tiny");
    // On a narrow page there is no place for it.
    if (!match || !place || getComputedStyle(place).display === "none") return;
    try {
      const summary = await this.#app.api(`/matches/${encodeURIComponent(match.matchId)}/summary`);
      const seat = match.players.findIndex(({ id }) => String(id) === this.#userId);
      place.replaceWith(courseOf(summary, Math.max(0, seat)));
    } catch {
      // Its rules may be gone: the row does without.
    }
  }
}

const frameOf = (attrs, ...children) =>
  svg(
    "svg",
    {
      class: "chart tiny",
      viewBox: `0 0 ${COURSE.width} ${COURSE.height}`,
      preserveAspectRatio: "none",
      ...attrs,
    },
    svg("path", {
      class: "axis",
      d: `M0 ${COURSE.height - 0.5}H${COURSE.width}`,
      "vector-effect": "non-scaling-stroke",
    }),
    ...children,
  );

const emptyCourse = () => frameOf({ "aria-hidden": "true" });

/**
 * The course of a match: scores as steps, or the time that each move took as bars.
 * @param {any} summary
 * @param {number} seat whose colour is amber
 */
function courseOf({ scores, timeline, durationS, tickHz }, seat) {
  if (tickHz) {
    const lines =
      scores[0]?.scores.map((_, at) => stepsOf(scores, at, durationS, at === seat)) ?? [];
    return frameOf({ role: "img", "aria-label": "Score over time" }, ...lines.reverse());
  }
  const moves = timeline.filter(({ kind }) => kind === "move");
  return frameOf({ role: "img", "aria-label": "Time of each move" }, ...barsOf(moves, seat));
}

function stepsOf(scores, at, durationS, isYou) {
  const most = Math.max(1, ...scores.flatMap((one) => one.scores));
  const x = (s) => ((s / (durationS || 1)) * COURSE.width).toFixed(1);
  const y = (score) => (COURSE.height - 1.5 - (score / most) * (COURSE.height - 3)).toFixed(1);
  const steps = scores.map(({ atS, scores: all }) => `H${x(atS)}V${y(all[at])}`).join("");
  return svg("path", {
    class: isYou ? "you" : "other",
    d: `M0 ${y(0)}${steps}H${COURSE.width}`,
    "vector-effect": "non-scaling-stroke",
  });
}

function barsOf(moves, seat) {
  const took = moves.map(({ atS }, place) => Math.max(0.1, atS - (moves[place - 1]?.atS ?? 0)));
  const most = Math.max(...took, 1);
  const width = COURSE.width / Math.max(moves.length, 12);
  return moves.map((move, place) => {
    const height = Math.max(2, (took[place] / most) * (COURSE.height - 2));
    const attrs = { x: place * width, y: COURSE.height - height, width: width * 0.7, height };
    return svg("rect", { class: move.seat === seat ? "you bar" : "other bar", ...attrs });
  });
}

/** @param {Match} match */
function reasonOf({ reason, winner, players }) {
  const loser = winner === null || players.length > 2 ? null : players[1 - winner];
  return REASONS[reason ?? ""]?.(loser?.name ?? "A player") ?? "";
}

/** @param {Match} match @returns {string} how long it took, by its own clock where it has one */
function took({ ticks, tickHz, startedAt, endedAt }) {
  if (!endedAt) return "";
  if (tickHz) return minutes((1000 * (ticks ?? 0)) / tickHz);
  const ms = Date.parse(endedAt) - Date.parse(startedAt);
  // The system clock may have been set back in between.
  return ms > 0 ? minutes(ms) : "";
}

const clock = (when) =>
  when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
const shortDay = (when) => {
  const day = dayOf(when);
  return day === "Today" ? "" : when.toLocaleDateString("en", { day: "numeric", month: "short" });
};

/** @param {Date} when */
function dayOf(when) {
  const days = Math.round((startOf(new Date()) - startOf(when)) / 86_400_000);
  if (days <= 1) return days === 1 ? "Yesterday" : "Today";
  const options = /** @type {const} */ ({ weekday: "long", day: "numeric", month: "long" });
  return when.toLocaleDateString("en", options);
}

/** @param {Date} when @returns {number} the start of its day */
const startOf = (when) => new Date(when).setHours(0, 0, 0, 0);

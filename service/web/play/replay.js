// A recorded match, at /replay/ID#t=12.3: the player, the score over time, and what happened.

import { clone, element, setText, svg } from "../common/dom.js";
import { WsReplay } from "../replay/ws_replay.js";
import { clockText, fragmentOf, markAt, said, tickIn } from "../replay/timeline.js";
import { viewOf } from "../games/register.js";
import { currentToken } from "./session.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").App} app
 * @param {import("./places.js").Params} params
 * @returns {import("./places.js").Mounted}
 */
export function mount(root, app, params) {
  app.style("/app/common/lists.css");
  app.style("/app/play/replay.css");
  root.className = "with-side";
  const heading = element("h1", { text: "Replay" });
  const facts = element("span", { className: "muted small" });
  const replay = new WsReplay();
  replay.token = () => currentToken() ?? "";
  replay.tabIndex = 0;
  replay.setAttribute("match", params.matchId ?? "");
  if (params.query.has("live")) replay.setAttribute("live", "");
  const chart = element("div", { className: "pad" });
  const events = element("ol", { className: "events" });
  events.tabIndex = 0;
  events.setAttribute("aria-label", "What happened");
  const figures = element("dl", { className: "facts" });
  const chartTitle = element("h2");
  const side = element(
    "div",
    { className: "stack", attrs: { hidden: "" } },
    panel(chartTitle, chart),
    panel(element("h2", { text: "What happened" }), events),
    element("section", { className: "panel pad" }, figures),
  );
  root.append(
    element(
      "div",
      { className: "stack" },
      element("div", { className: "head" }, heading, facts),
      replay,
    ),
    side,
  );
  /** @type {HTMLElement[]} */
  let rows = [];
  /** @type {import("../games/register.js").View | null} */
  let view = null;

  /** @param {any} summary */
  function showCourse(summary) {
    const isTimed = summary.tickHz > 0;
    setText(chartTitle, isTimed ? "Score over time" : "Time of each move");
    chart.replaceChildren(isTimed ? scoreChart(summary, replay.names) : moveChart(summary));
    rows = summary.timeline.map((/** @type {any} */ mark) => eventRow(mark));
    events.replaceChildren(...rows);
  }

  replay.addEventListener("ws-replay-summary", async (event) => {
    const { summary, match } = /** @type {CustomEvent} */ (event).detail;
    const names = replay.names.join(" against ");
    app.title = names;
    heading.textContent = names;
    const began = new Date(match.startedAt);
    const date = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
    facts.textContent = `${app.gameOf(match.game)?.title ?? match.game} · ${date.format(began)}`;
    view = await viewOf(summary.game, app.gameOf(match.game)?.page);
    side.hidden = false;
    showCourse(summary);
    showFigures(summary, match);
    const tick = tickIn(summary, location.hash);
    if (tick !== null) replay.seek(tick);
    else if (!params.query.has("live")) replay.play();
  });

  replay.addEventListener("ws-replay-problem", (event) => {
    const { message, status } = /** @type {CustomEvent} */ (event).detail;
    if (status !== 404 && status !== 400) return;
    const missing = clone("t-missing");
    setText(/** @type {Element} */ (missing.querySelector("span")), message);
    root.className = "";
    root.replaceChildren(missing);
  });

  replay.addEventListener("ws-replay-extended", (event) => {
    showCourse(/** @type {CustomEvent} */ (event).detail.summary);
  });

  replay.addEventListener("ws-replay-tick", (event) => {
    const { summary } = replay;
    if (!summary) return;
    const { tick } = /** @type {CustomEvent} */ (event).detail;
    const mark = markAt(summary, tick);
    rows.forEach((row, index) => {
      row.classList.toggle("is-now", summary.timeline[index] === mark);
    });
    const line = chart.querySelector(".at");
    line?.setAttribute("d", `M${x(summary, tick)} 4V76`);
  });

  replay.addEventListener("ws-replay-share", async (event) => {
    const url = new URL(location.href);
    url.hash = /** @type {CustomEvent} */ (event).detail.fragment;
    history.replaceState(null, "", url);
    try {
      await navigator.clipboard.writeText(url.href);
      app.toast("The link to this moment is copied.");
    } catch {
      app.toast("The link to this moment is in the address bar.");
    }
  });

  replay.addEventListener("ws-replay-live", () => {
    const room = (params.matchId ?? "").replace(/-\d+$/, "");
    app.go(`/room/${encodeURIComponent(room)}`);
  });

  const follow = () => {
    const tick = replay.summary && tickIn(replay.summary, location.hash);
    if (tick !== null && tick !== undefined) replay.seek(tick);
  };
  addEventListener("hashchange", follow);

  /** @param {any} mark */
  function eventRow(mark) {
    const summary = /** @type {import("../replay/timeline.js").Summary} */ (replay.summary);
    const go = /** @type {HTMLAnchorElement} */ (
      element("a", { text: said(mark, replay.names, view?.said) })
    );
    go.href = `#${fragmentOf(summary, mark.tick)}`;
    go.addEventListener("click", (event) => {
      event.preventDefault();
      replay.pause();
      replay.seek(mark.tick);
    });
    const time = element("time", { text: clockText(summary, mark.tick) });
    const score = element("span", { className: "num muted", text: mark.scores?.join(" : ") ?? "" });
    return element("li", {}, time, go, score);
  }

  /**
   * @param {any} summary
   * @param {any} match
   */
  function showFigures(summary, match) {
    const entries = [["Result", resultText(match, replay.names)]];
    for (const { title, value, unit, seat } of summary.figures) {
      if (value === null) continue;
      const of = seat === null || seat === undefined ? "" : `, ${replay.names[seat]}`;
      entries.push([`${title}${of}`, `${Number(value.toFixed?.(2) ?? value)} ${unit}`.trim()]);
    }
    figures.replaceChildren(
      ...entries.flatMap(([term, text]) => [
        element("dt", { text: term }),
        element("dd", { text }),
      ]),
    );
  }

  return {
    /** Another moment of the same match, or the whole of it: it is not read again for the former. */
    changed({ query }) {
      replay.toggleAttribute("live", query.has("live"));
      follow();
    },
    unmount() {
      removeEventListener("hashchange", follow);
      setText(heading, "");
    },
  };
}

/**
 * @param {HTMLElement} title
 * @param {HTMLElement} content
 */
function panel(title, content) {
  const head = element("div", { className: "title" }, title);
  return element("section", { className: "panel" }, head, content);
}

/**
 * @param {any} match
 * @param {string[]} names
 */
function resultText(match, names) {
  if (match.endedAt === null) return "still being played";
  if (match.reason === "void") return "void: it has no result";
  const scores = match.scores?.join(" to ") ?? "";
  const winner = match.winner === null ? "Nobody won" : `${names[match.winner]} won`;
  return scores ? `${winner}, ${scores}` : winner;
}

/**
 * @param {any} summary
 * @param {number} tick
 */
const x = (summary, tick) => (18 + (tick / Math.max(1, summary.ticks)) * 254).toFixed(1);

/**
 * What both charts have: axes, labels, and a line at the present moment.
 * @param {any} summary
 * @param {string} label
 * @param {string} most at the upper axis
 */
function chartFrame(summary, label, most) {
  const axes = [8, 76].map((y) => svg("path", { class: "axis", d: `M18 ${y}H272` }));
  const write = (/** @type {string} */ text, /** @type {object} */ attrs) => {
    const made = svg("text", /** @type {any} */ (attrs));
    made.textContent = text;
    return made;
  };
  return svg(
    "svg",
    { viewBox: "0 0 272 92", class: "chart", role: "img", "aria-label": label },
    ...axes,
    write("0", { x: 12, y: 80, "text-anchor": "end" }),
    write(most, { x: 12, y: 12, "text-anchor": "end" }),
    write("0", { x: 18, y: 91 }),
    write(clockText(summary, summary.ticks), { x: 272, y: 91, "text-anchor": "end" }),
    svg("path", { class: "at", d: "M18 4V76" }),
  );
}

/**
 * The scores as steps over time, the first seat in amber.
 * @param {any} summary
 * @param {string[]} names
 */
function scoreChart(summary, names) {
  const last = summary.scores.at(-1)?.scores ?? [];
  const standing = names.map(
    (/** @type {string} */ name, /** @type {number} */ seat) => `${name} ${last[seat] ?? 0}`,
  );
  const most = Math.max(1, ...summary.scores.flatMap((/** @type {any} */ one) => one.scores));
  const y = (/** @type {number} */ score) => (76 - (score / most) * 68).toFixed(1);
  const chart = chartFrame(summary, `Score over time: ${standing.join(", ")}`, String(most));
  for (const seat of names.keys()) {
    let line = "";
    for (const { tick, scores } of summary.scores) {
      const score = y(scores[seat] ?? 0);
      line += line ? `H${x(summary, tick)}V${score}` : `M${x(summary, tick)} ${score}`;
    }
    chart.append(svg("path", { class: seat === 0 ? "you" : "other", d: `${line}H272` }));
  }
  return chart;
}

/**
 * How long each move of a game of turns took, as bars, the first seat in amber.
 * @param {any} summary
 */
function moveChart(summary) {
  const moves = summary.timeline.filter((/** @type {any} */ { kind }) => kind === "move");
  const took = moves.map((/** @type {any} */ { atS }, /** @type {number} */ place) =>
    Math.max(0, atS - (moves[place - 1]?.atS ?? 0)),
  );
  const most = Math.max(1, ...took.map(Math.ceil));
  const chart = chartFrame(summary, `Time of each move, at the most ${most} s`, String(most));
  moves.forEach((/** @type {any} */ { tick, seat }, /** @type {number} */ place) => {
    const [from, to] = [tick - 1, tick].map((one) => Number(x(summary, one)));
    const height = Math.max(1, (took[place] / most) * 68);
    const width = Math.max(1, (to - from) * 0.7);
    const attrs = { x: from, y: 76 - height, width, height };
    chart.append(svg("rect", { class: seat === 0 ? "you" : "other", ...attrs }));
  });
  return chart;
}

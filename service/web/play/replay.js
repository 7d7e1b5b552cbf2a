// A recorded match, at /replay/ID#t=12.3: the player, the score over time, and what happened.

import { element, setText } from "../common/dom.js";
import { WsReplay } from "../replay/ws_replay.js";
import { clockText, fragmentOf, markAt, said, tickIn } from "../replay/timeline.js";
import { viewOf } from "../games/register.js";
import { currentToken } from "./session.js";

const SVG = "http://www.w3.org/2000/svg";

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
  root.append(
    element(
      "div",
      { className: "stack" },
      element("div", { className: "head" }, heading, facts),
      replay,
    ),
    element(
      "div",
      { className: "stack" },
      panel("Score over time", chart),
      panel("What happened", events),
      element("section", { className: "panel pad" }, figures),
    ),
  );
  /** @type {HTMLElement[]} */
  let rows = [];
  /** @type {import("../games/register.js").View | null} */
  let view = null;

  /** @param {any} summary */
  function showCourse(summary) {
    chart.replaceChildren(scoreChart(summary, replay.names));
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
    view = await viewOf(summary.game);
    showCourse(summary);
    showFigures(summary, match);
    const tick = tickIn(summary, location.hash);
    if (tick !== null) replay.seek(tick);
    else if (!params.query.has("live")) replay.play();
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
    unmount() {
      removeEventListener("hashchange", follow);
      setText(heading, "");
    },
  };
}

/**
 * @param {string} title
 * @param {HTMLElement} content
 */
function panel(title, content) {
  const head = element("div", { className: "title" }, element("h2", { text: title }));
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
 * The scores as steps over time, the first seat in amber.
 * @param {any} summary
 * @param {string[]} names
 */
function scoreChart(summary, names) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 272 92");
  svg.setAttribute("class", "chart");
  svg.setAttribute("role", "img");
  const last = summary.scores.at(-1)?.scores ?? [];
  const standing = names.map(
    (/** @type {string} */ name, /** @type {number} */ seat) => `${name} ${last[seat] ?? 0}`,
  );
  svg.setAttribute("aria-label", `Score over time: ${standing.join(", ")}`);
  const most = Math.max(1, ...summary.scores.flatMap((/** @type {any} */ one) => one.scores));
  const y = (/** @type {number} */ score) => (76 - (score / most) * 68).toFixed(1);
  const add = (/** @type {string} */ name, /** @type {string} */ d) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", d);
    svg.append(path);
  };
  const write = (
    /** @type {string} */ text,
    /** @type {number} */ at,
    /** @type {number} */ down,
    /** @type {string} */ anchor,
  ) => {
    const made = document.createElementNS(SVG, "text");
    made.setAttribute("x", String(at));
    made.setAttribute("y", String(down));
    made.setAttribute("text-anchor", anchor);
    made.textContent = text;
    svg.append(made);
  };
  add("axis", `M18 ${y(0)}H272`);
  add("axis", `M18 ${y(most)}H272`);
  write("0", 12, 80, "end");
  write(String(most), 12, 12, "end");
  write("0", 18, 91, "start");
  write(clockText(summary, summary.ticks), 272, 91, "end");
  for (const seat of names.keys()) {
    let line = "";
    for (const { tick, scores } of summary.scores) {
      const score = y(scores[seat] ?? 0);
      line += line ? `H${x(summary, tick)}V${score}` : `M${x(summary, tick)} ${score}`;
    }
    add(seat === 0 ? "you" : "other", `${line}H272`);
  }
  add("at", "M18 4V76");
  return svg;
}

// One match at any of its ticks: its whole state, what each side sees, and the events around it.

import { button, element } from "../common/dom.js";
import { act, get } from "./api.js";
import { clockText } from "../replay/timeline.js";
import { cell, chip, link, table } from "./table.js";

/**
 * @param {HTMLElement} root
 * @param {import("./console.js").App} app
 * @param {string} id
 * @returns {import("./console.js").Place}
 */
export function mountMatch(root, app, id) {
  const head = element("div", { className: "head" }, element("h1", { text: `Match ${id}` }));
  const facts = element("p", { className: "muted" });
  const range = /** @type {HTMLInputElement} */ (element("input"));
  range.type = "range";
  range.min = "0";
  range.setAttribute("aria-label", "Tick");
  const where = element("output", { className: "mono" });
  const latest = button("Latest", () => choose(null), { className: "b s" });
  const scrub = element(
    "div",
    { className: "scrub" },
    button("−1", () => step(-1), { className: "b s" }),
    range,
    button("+1", () => step(1), { className: "b s" }),
    where,
    latest,
  );
  const state = element("pre", { className: "json mono" });
  state.tabIndex = 0;
  state.setAttribute("aria-label", "State");
  const hash = element("span", { className: "muted mono small" });
  const sights = element("div", { className: "pad sights" });
  const events = table([{ title: "Tick", right: true }, { title: "Type" }, { title: "Data" }]);
  const actions = element("div", { className: "actions" });
  head.append(actions);
  // Hidden until it is known that there is such a match.
  const parts = element(
    "div",
    { className: "stack", attrs: { hidden: "" } },
    facts,
    element("section", { className: "panel pad" }, scrub),
    panel("State", hash, state),
    panel("What each side sees", "", sights),
    panel("Events near this tick", link(`/admin/log?stream=match:${id}`, "All of them"), scroll()),
  );
  root.append(element("div", { className: "stack" }, head, parts));

  /** The tick that is shown; null for the latest. @type {number | null} */
  let tick = tickIn(location.search);
  let shownTick = 0;
  let said = "";
  let isLive = true;
  let isLoading = false;
  let again = false;

  range.addEventListener("input", () => choose(Number(range.value)));

  function scroll() {
    const region = element("div", { className: "scroll" }, events.table);
    region.tabIndex = 0;
    region.setAttribute("role", "region");
    region.setAttribute("aria-label", "Events near this tick");
    return region;
  }

  /** @param {number} by */
  function step(by) {
    choose(Math.max(0, Math.min(Number(range.max), shownTick + by)));
  }

  /** @param {number | null} wanted */
  function choose(wanted) {
    tick = wanted;
    const query = tick === null ? "" : `?tick=${tick}`;
    history.replaceState(null, "", `${location.pathname}${query}`);
    app.tried(load());
  }

  /** Reads the match; of several wishes meanwhile the last one is carried out. */
  async function load() {
    if (isLoading) {
      again = true;
      return;
    }
    isLoading = true;
    try {
      do {
        again = false;
        show(await get(`/admin/matches/${encodeURIComponent(id)}/state`, { tick }));
      } while (again);
    } finally {
      isLoading = false;
    }
  }

  /** @param {any} match */
  function show(match) {
    const now = JSON.stringify(match);
    if (now === said) return;
    said = now;
    parts.hidden = false;
    isLive = match.isLive;
    shownTick = match.tick;
    range.max = String(match.ticks);
    range.value = String(match.tick);
    const seconds = match.tickHz ? `, ${clockText(match, match.tick)}` : "";
    where.textContent = `tick ${match.tick} of ${match.ticks}${seconds}`;
    latest.disabled = tick === null;
    const players = match.players.map((/** @type {any} */ one) => one.name).join(" and ");
    const rewinds = match.rewinds.length ? ` · went back to tick ${match.rewinds.join(", ")}` : "";
    facts.textContent = `${players} · ${match.game}, rules ${match.rulesVersion}${rewinds}`;
    const has = match.checkpoints.includes(match.tick);
    hash.textContent = `${match.hash}${has ? " · checkpoint" : ""}`;
    state.textContent = JSON.stringify(match.state, null, 2);
    sights.replaceChildren(
      ...match.sights.map((/** @type {any} */ sight) => {
        const name = sight.seat === null ? "Spectators" : match.players[sight.seat].name;
        const view = element("pre", { className: "json mono" });
        view.tabIndex = 0;
        view.setAttribute("aria-label", `What ${name} sees`);
        view.textContent = JSON.stringify(sight.view, null, 2);
        return element("div", {}, element("h3", { text: name }), view);
      }),
    );
    events.body.replaceChildren(...match.events.map(eventRow));
    actions.replaceChildren(match.isLive ? chip("Live", "good") : chip("Over"));
    if (!match.isLive) {
      const replay = link(`/replay/${encodeURIComponent(id)}`, "Replay");
      replay.className = "b s";
      actions.append(replay);
    } else if (app.canAct) {
      actions.append(voiding());
    }
  }

  /** A button that has to be pressed twice. */
  function voiding() {
    const made = button(
      "Void…",
      async () => {
        if (made.classList.contains("sure")) {
          await app.tried(act("void-match", { matchId: id }));
        } else {
          made.classList.add("danger", "sure");
          made.textContent = "Void: it ends without a result";
        }
      },
      { className: "b s" },
    );
    return made;
  }

  // Only a live match at its latest tick changes.
  const refresh = async () => {
    if (!said || (isLive && tick === null)) await load();
  };
  return { title: `Match ${id}`, refresh };
}

/**
 * @param {string} title
 * @param {string | Node} aside
 * @param {Node} content
 */
function panel(title, aside, content) {
  const head = element("div", { className: "title" }, element("h2", { text: title }));
  head.append(aside);
  return element("section", { className: "panel" }, head, content);
}

/** @param {any} event */
function eventRow(event) {
  return element(
    "tr",
    {},
    cell(String(event.tick), "r mono"),
    cell(event.type, "mono"),
    cell(JSON.stringify(event.data), "data muted mono small"),
  );
}

/** @param {string} search */
function tickIn(search) {
  const tick = new URLSearchParams(search).get("tick");
  return tick !== null && /^\d{1,9}$/.test(tick) ? Number(tick) : null;
}

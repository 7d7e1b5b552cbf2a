// Lists of the console: rooms, users, matches, the log, the outbox; filters live in the URL.

import { byId, element } from "../common/dom.js";
import { act, get } from "./api.js";
import { asking, cell, chip, isAsking, link, table } from "./table.js";

/** @typedef {import("./console.js").App} App */
/** @typedef {{name: string, label: string, options?: Array<[string, string]>}} Filter */

/**
 * @typedef {object} List
 * @property {string} title
 * @property {string} path
 * @property {string} entries the field of a page with its entries
 * @property {string} [cursor] the parameter that takes the cursor of the page before
 * @property {Filter[]} filters
 * @property {import("./table.js").Column[]} columns
 * @property {string} none what to say when there is nothing
 * @property {(entry: any, app: App) => HTMLElement} row
 */

const PHASES = { gathering: "Waiting", ready: "Ready", playing: "Playing", finished: "Over" };

const time = new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeStyle: "medium" });
const when = (/** @type {string} */ at) => time.format(new Date(at));

/** @type {Record<string, List>} */
const LISTS = {
  rooms: {
    title: "Rooms",
    path: "/admin/rooms",
    entries: "rooms",
    cursor: "cursor",
    filters: [
      { name: "q", label: "Id or player" },
      {
        name: "phase",
        label: "State",
        options: [["", "All"], ...Object.entries(PHASES)],
      },
      { name: "game", label: "Game" },
    ],
    columns: [
      { title: "Room" },
      { title: "Game" },
      { title: "State" },
      { title: "Seats and sockets" },
      { title: "Watching", right: true },
      { title: "Node" },
      { title: "Actions", unseen: true },
    ],
    none: "No room is open.",
    row: roomRow,
  },
  users: {
    title: "Users",
    path: "/admin/users",
    entries: "users",
    cursor: "cursor",
    filters: [{ name: "q", label: "Name or id" }],
    columns: [
      { title: "User" },
      { title: "Status" },
      { title: "Room" },
      { title: "Watching" },
      { title: "Sockets" },
      { title: "Actions", unseen: true },
    ],
    none: "Nobody is online.",
    row: userRow,
  },
  matches: {
    title: "Matches",
    path: "/matches",
    entries: "matches",
    cursor: "cursor",
    filters: [
      { name: "user", label: "User" },
      { name: "game", label: "Game" },
      {
        name: "reason",
        label: "Ended",
        options: [
          ["", "All"],
          ["live", "Live now"],
          ["void", "Void"],
        ],
      },
    ],
    columns: [
      { title: "Match" },
      { title: "Game" },
      { title: "Players" },
      { title: "Score" },
      { title: "State" },
      { title: "Began" },
      { title: "Actions", unseen: true },
    ],
    none: "No match has been played.",
    row: matchRow,
  },
  log: {
    title: "Log",
    path: "/admin/log",
    entries: "events",
    cursor: "before",
    filters: [
      { name: "stream", label: "Stream, as room:ID" },
      { name: "type", label: "Type, as match." },
      { name: "user", label: "User" },
    ],
    columns: [
      { title: "Position", right: true },
      { title: "Time" },
      { title: "Stream" },
      { title: "Type" },
      { title: "By" },
      { title: "Data" },
    ],
    none: "No event matches.",
    row: eventRow,
  },
  outbox: {
    title: "Outbox",
    path: "/admin/deliveries",
    entries: "deliveries",
    filters: [],
    columns: [
      { title: "Match" },
      { title: "To" },
      { title: "State" },
      { title: "Attempts", right: true },
      { title: "Next" },
      { title: "Last error" },
      { title: "Actions", unseen: true },
    ],
    none: "Nothing waits to be delivered.",
    row: deliveryRow,
  },
};

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @param {string} name
 * @returns {import("./console.js").Place}
 */
export function mountList(root, app, name) {
  const list = LISTS[name];
  if (!list) {
    root.append(element("p", { className: "empty", text: "There is no such page." }));
    return { title: "Not found", refresh: async () => {} };
  }
  const template = /** @type {HTMLTemplateElement} */ (byId("t-list"));
  root.append(template.content.cloneNode(true));
  const find = (/** @type {string} */ selector) =>
    /** @type {HTMLElement} */ (root.querySelector(selector));
  find("h1").textContent = list.title;
  const region = find(".scroll");
  region.setAttribute("aria-label", list.title);
  const { table: shown, body } = table(list.columns);
  region.append(shown);
  const note = find("[data-note]");
  const more = find("[data-more]");
  const chosen = new URLSearchParams(location.search);
  const form = /** @type {HTMLFormElement} */ (find("form"));
  fillFilters(form, list.filters, chosen, (query) => {
    app.go(query ? `${location.pathname}?${query}` : location.pathname, { replace: true });
  });
  form.hidden = !list.filters.length;

  /** @type {string | number | null} */
  let cursor = null;
  let pages = 1;
  let said = "";

  more.addEventListener("click", async () => {
    pages += 1;
    await app.tried(load());
    app.refreshNow();
  });

  /** Reads as many pages as are shown. */
  async function load() {
    const params = Object.fromEntries(chosen);
    /** @type {any[]} */
    const entries = [];
    cursor = null;
    for (let page = 0; page < pages; page += 1) {
      const at = cursor === null || !list.cursor ? {} : { [list.cursor]: cursor };
      const found = await get(list.path, { ...params, ...at });
      entries.push(...found[list.entries]);
      cursor = found.cursor ?? null;
      if (cursor === null) break;
    }
    more.hidden = cursor === null;
    note.textContent = entries.length ? `${entries.length} shown` : list.none;
    const now = JSON.stringify(entries);
    if (now === said || isAsking()) return;
    said = now;
    const focused = document.activeElement?.closest("tr")?.dataset.key;
    const open = new Set(
      [...body.querySelectorAll("details[open]")].map((one) => one.closest("tr")?.dataset.key),
    );
    body.replaceChildren(...entries.map((entry) => list.row(entry, app)));
    for (const details of body.querySelectorAll("details")) {
      details.open = open.has(details.closest("tr")?.dataset.key);
    }
    if (focused) {
      const row = body.querySelector(`tr[data-key="${CSS.escape(focused)}"]`);
      row?.querySelector("button")?.focus();
    }
  }

  return { title: list.title, refresh: load };
}

/**
 * @param {HTMLFormElement} form
 * @param {Filter[]} filters
 * @param {URLSearchParams} chosen
 * @param {(query: string) => void} change
 */
function fillFilters(form, filters, chosen, change) {
  for (const { name, label, options } of filters) {
    const control = /** @type {HTMLInputElement | HTMLSelectElement} */ (
      element(options ? "select" : "input", { className: "input" })
    );
    control.name = name;
    for (const [value, text] of options ?? []) {
      control.append(new Option(text, value));
    }
    control.value = chosen.get(name) ?? "";
    form.append(
      element("label", {}, element("span", { className: "label", text: label }), control),
    );
  }
  const submit = element("button", { className: "b", text: "Filter" });
  form.append(submit);
  const apply = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (String(value).trim()) query.set(name, String(value).trim());
    }
    change(query.toString());
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  for (const select of form.querySelectorAll("select")) select.addEventListener("change", apply);
}

/**
 * A row that keeps the focus when the list is read again.
 * @param {string | number} key
 * @param {...Node} cells
 */
function row(key, ...cells) {
  return element("tr", { data: { key: String(key) } }, ...cells);
}

/** @param {...(Node | null | false)} buttons */
function actions(...buttons) {
  const shown = /** @type {Node[]} */ (buttons.filter(Boolean));
  return cell(element("span", { className: "actions" }, ...shown), "r");
}

/**
 * @param {any} room
 * @param {App} app
 */
function roomRow(room, app) {
  const id = room.roomId;
  const phase = /** @type {Record<string, string>} */ (PHASES)[room.phase];
  const state = room.isPaused
    ? chip("Paused", "you")
    : chip(phase, room.phase === "playing" ? "good" : "");
  const seats = element("span");
  const members = [];
  for (const seat of room.seats) {
    if (!seat.user) continue;
    const gone = seat.isAway ? " (away)" : "";
    const sockets = seat.sockets.length ? ` ${seat.sockets.join(" ")}` : "";
    members.push(seat.user.name);
    seats.append(
      element(
        "div",
        {},
        link(`/admin/users?q=${encodeURIComponent(seat.user.id)}`, seat.user.name),
        element("span", { className: "muted mono small", text: `${gone}${sockets}` }),
      ),
    );
  }
  if (!members.length) seats.append(element("span", { className: "muted", text: "nobody" }));
  const name = element(
    "span",
    {},
    link(`/admin/log?stream=${encodeURIComponent(`room:${id}`)}`, id),
  );
  if (room.matchId && room.phase === "playing") {
    const match = link(`/admin/matches/${encodeURIComponent(room.matchId)}`, "match");
    name.append(element("div", { className: "small" }, match));
  }
  const visibility = room.visibility === "public" ? "" : room.visibility;
  return row(
    id,
    cell(name, "mono"),
    cell(room.game),
    cell(element("span", {}, state, ...(visibility ? [" ", chip(visibility)] : []))),
    cell(seats),
    cell(String(room.spectators.length), "r"),
    cell(room.node, "mono"),
    actions(
      app.canAct &&
        asking("Close", {
          question: `Close ${id}?`,
          what: `${room.phase === "playing" ? "Its match is void; " : ""}${members.join(", ") || "nobody"} and ${room.spectators.length} who watch leave it.`,
          yes: "Close room",
          act: (reason) => app.tried(act("close-room", { roomId: id, reason })),
        }),
      ...(app.canAct
        ? room.seats
            .filter((/** @type {any} */ seat) => seat.user)
            .map((/** @type {any} */ seat) => kick(room, seat.user, app))
        : []),
    ),
  );
}

/**
 * @param {any} room
 * @param {{id: string | number, name: string}} user
 * @param {App} app
 */
function kick(room, user, app) {
  const plays = room.phase === "playing";
  return asking(`Kick ${user.name}`, {
    question: `Kick ${user.name} from ${room.roomId}?`,
    what: plays
      ? "They lose the match, and can't come back to this room."
      : "They can't come back to this room.",
    yes: "Kick",
    act: (reason) => app.tried(act("kick", { roomId: room.roomId, user: user.id, reason })),
  });
}

/**
 * @param {any} one
 * @param {App} app
 */
function userRow(one, app) {
  const { id, name } = one.user;
  const who = element(
    "span",
    {},
    element("b", { text: name }),
    " ",
    link(`/admin/log?user=${encodeURIComponent(id)}`, String(id)),
  );
  const status = element("span", {}, chip(one.inGrace ? "Away" : one.status));
  if (one.isHidden) status.append(" ", chip("hidden"));
  const rooms = (/** @type {string[]} */ ids) => {
    const shown = element("span");
    for (const room of ids) {
      shown.append(link(`/admin/rooms?q=${encodeURIComponent(room)}`, room), " ");
    }
    return shown;
  };
  return row(
    id,
    cell(who),
    cell(status),
    cell(rooms(one.roomId ? [one.roomId] : []), "mono"),
    cell(rooms(one.watching), "mono"),
    cell(one.sockets.join(" ") || "none", "mono small"),
    actions(
      app.canAct &&
        asking("Send away", {
          question: `Send ${name} away?`,
          what: `${one.sockets.length} connections are closed, and all tokens until now are refused.`,
          yes: "Send away",
          act: (reason) => app.tried(act("revoke", { user: id, reason })),
        }),
    ),
  );
}

/**
 * @param {any} match
 * @param {App} app
 */
function matchRow(match, app) {
  const live = match.endedAt === null;
  const players = match.players.map((/** @type {any} */ one) => one.name).join(", ");
  const state = live
    ? chip("Live", "good")
    : chip(match.reason, match.reason === "void" ? "bad" : "");
  return row(
    match.matchId,
    cell(link(`/admin/matches/${encodeURIComponent(match.matchId)}`, match.matchId), "mono"),
    cell(match.game),
    cell(players),
    cell((match.scores ?? []).join(" : "), "mono"),
    cell(state),
    cell(when(match.startedAt)),
    actions(
      live &&
        app.canAct &&
        asking("Void", {
          question: `Void ${match.matchId}?`,
          what: `It ends without a result; ${players} stay in their room.`,
          yes: "Void match",
          act: (reason) => app.tried(act("void-match", { matchId: match.matchId, reason })),
        }),
    ),
  );
}

/** @param {any} event */
function eventRow(event) {
  const filter = (/** @type {string} */ name, /** @type {string} */ value) =>
    link(`/admin/log?${new URLSearchParams({ [name]: value })}`, value);
  return row(
    event.position,
    cell(String(event.position), "r mono muted"),
    cell(when(event.recordedAt), "muted nowrap"),
    cell(filter("stream", event.stream), "mono nowrap"),
    cell(filter("type", event.type), "mono nowrap"),
    cell(event.actor === null ? "" : filter("user", event.actor), "nowrap"),
    cell(dataOf(event), "data mono small"),
  );
}

/**
 * The data of an event in a line, and opened with all else that is known of it.
 * @param {any} event
 */
function dataOf({ data, ...others }) {
  const words = Object.entries(data)
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" · ");
  const { correlationId, hash, node, version } = others;
  const whole = JSON.stringify({ data, version, node, correlationId, hash }, null, 2);
  return element(
    "details",
    {},
    element("summary", { className: "muted", text: words || "–" }),
    element("pre", { text: whole }),
  );
}

/**
 * @param {any} delivery
 * @param {App} app
 */
function deliveryRow(delivery, app) {
  const { matchId, consumer, state, attempts, nextAt, lastError } = delivery;
  return row(
    `${matchId} ${consumer}`,
    cell(link(`/admin/matches/${encodeURIComponent(matchId)}`, matchId), "mono"),
    cell(consumer),
    cell(state === "rejected" ? chip("Rejected", "bad") : chip("Waiting", "you")),
    cell(String(attempts), "r"),
    cell(nextAt === null ? (state === "rejected" ? "" : "now") : when(nextAt)),
    cell(lastError ?? "", "data"),
    actions(
      app.canAct &&
        asking("Retry", {
          question: `Deliver ${matchId} again?`,
          what: "It is sent at once to all that have not taken it.",
          yes: "Retry",
          act: (reason) => app.tried(act("retry-delivery", { matchId, reason })),
        }),
    ),
  );
}

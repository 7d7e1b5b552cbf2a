// The connection status, and toasts.

import { byId, element, setText } from "../common/dom.js";

const TOAST_MS = 6_000;
const TOASTS_MAX = 3;

const PLAIN_WORDS = new Map([
  ["BAD_INVITE", "That invitation could not be sent."],
  ["SELF_INVITE", "You can't invite yourself. Open a second tab with another name."],
  ["USER_OFFLINE", "That player has just gone offline."],
  ["USER_NOT_IN_LOBBY", "That player is not in the lobby right now."],
  ["INVITE_NOT_FOUND", "That invitation is no longer open."],
  [
    "UNAVAILABLE",
    "The server can't save anything at the moment, so nothing has changed. Try again later.",
  ],
  ["RATE_LIMITED", "That was too fast. Wait a moment."],
  ["ROOM_NOT_FOUND", "That match is no longer there."],
  ["ROOM_FULL", "That room is full."],
  ["WRONG_PASSWORD", "That is not the password of this room."],
  ["USER_BUSY", "That player is in a match right now."],
]);

/**
 * The text of a server's error for a player.
 * @param {{code?: string, message?: string}} error
 * @returns {string}
 */
export function plainWords({ code = "", message = "" }) {
  return PLAIN_WORDS.get(code) ?? (message || "The server could not do that.");
}

/**
 * Shows a short message that disappears after a while, or by a click.
 * @param {string} text
 */
export function toast(text) {
  const shelf = byId("toasts");
  for (const shown of [...shelf.children]) if (shown.textContent === text) shown.remove();
  const made = element("p", { className: "toast", text });
  made.addEventListener("click", () => made.remove());
  setTimeout(() => made.remove(), TOAST_MS);
  shelf.append(made);
  while (shelf.children.length > TOASTS_MAX) shelf.firstElementChild?.remove();
}

/** Time after which the user may replace a stuck connection attempt. */
const STUCK_AFTER_MS = 3_000;

let detailTimer = 0;
let stuckTimer = 0;

/** Reasons for which the client does not reconnect, by close code. */
const FINAL_WORDS = new Map([
  [4503, "The server ended your session."],
  [4504, "You have opened too many tabs: a newer one replaced this one."],
]);

/** The values of `data-connection` by the client's state. */
const CONNECTION = {
  idle: "offline",
  connecting: "connecting",
  waiting: "connecting",
  online: "online",
  closed: "offline",
};

/**
 * Shows the state of the connection.
 * @param {import("../client/client.js").Status} status
 */
export function showStatus(status) {
  clearInterval(detailTimer);
  clearTimeout(stuckTimer);
  document.body.dataset.connection = CONNECTION[status.state];
  const retryAt = status.state === "waiting" ? status.retryAt : undefined;
  const reason = status.state === "closed" ? FINAL_WORDS.get(status.code) : undefined;
  byId("reconnect").hidden = !retryAt && !reason;
  if (status.state === "connecting") {
    stuckTimer = setTimeout(() => (byId("reconnect").hidden = false), STUCK_AFTER_MS);
  }
  setText(byId("status-text"), statusText(status.state, Boolean(reason)));
  const isOnline = status.state === "online";
  byId("status-text").className = isOnline ? "unseen" : "";
  byId("status-dot").className =
    `dot ${isOnline ? "" : status.state === "closed" ? "bad" : "away"}`;
  setText(byId("banner"), reason ?? "");
  byId("banner").hidden = !reason;
  const detail = byId("status-detail");
  const tick = () => {
    const seconds = retryAt ? Math.ceil((retryAt - Date.now()) / 1000) : 0;
    setText(detail, seconds > 0 ? `${seconds} s` : "");
  };
  tick();
  if (retryAt) detailTimer = setInterval(tick, 250);
}

function statusText(state, isStopped) {
  if (state === "online") return "Online";
  if (state === "waiting") return "Reconnecting…";
  if (state === "connecting") return "Connecting…";
  return isStopped ? "Stopped" : "Not connected";
}

/** @param {number} ms the round trip to the server */
export function showPing(ms) {
  if (document.body.dataset.connection === "online")
    setText(byId("status-detail"), `${Math.max(1, Math.round(ms))} ms`);
}

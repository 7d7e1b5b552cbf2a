// The buttons of a room: to start, sit down, play again, give up (which asks first), share, and hear.

import { button, byId, element, icon, setText } from "../common/dom.js";

/** @typedef {{hasSound: boolean, toggleSound: () => Promise<boolean>, toast: (text: string) => void, begin: () => void,
 *   leave: () => void, sit: () => void, addBot: (level: number) => void,
 *   enter: (password: string) => void}} Ports */

/** Phases in which leaving gives the match up. */
const LIVE = new Set(["playing", "countdown", "paused", "lost"]);
const BOT_WORDS = ["easy", "medium", "hard"];

export class Actions {
  #ports;
  #start = button("Start", () => this.#ports.begin(), { className: "b primary" });
  #sit = button("Take a seat", () => this.#ports.sit(), { className: "b primary" });
  #again = button("Play again", () => this.#ports.begin(), { className: "b primary" });
  #watch = /** @type {HTMLAnchorElement} */ (element("a", { className: "b s" }));
  #leave = button("", () => this.#pressedLeave(), { className: "b s" });
  #mute = button("", () => this.#toggleSound(), { className: "b icon s quiet" });
  #full = button("", () => toggleFullScreen(), { className: "b icon s quiet" });
  #bots = element("div", { className: "actions" });
  #mayLeaveAtOnce = true;
  #key = "";

  /** @param {Ports} ports */
  constructor(ports) {
    this.#ports = ports;
    for (const [made, id] of /** @type {const} */ ([
      [this.#start, "start"],
      [this.#sit, "sit"],
      [this.#again, "again"],
      [this.#leave, "leave"],
      [this.#mute, "sound"],
      [this.#watch, "watch-again"],
    ])) {
      made.id = id;
    }
    const share = button("", () => this.#share(), { className: "b s quiet" });
    share.setAttribute("aria-label", "Copy link");
    share.append(icon("link"), element("span", { className: "t", text: "Copy link" }));
    this.#full.setAttribute("aria-label", "Full screen");
    this.#full.append(icon("full"));
    this.#full.hidden = !document.fullscreenEnabled;
    byId("overlay-actions").append(this.#start, this.#sit, this.#bots);
    byId("outcome-actions").append(this.#again);
    byId("room-actions").append(this.#mute, this.#full, share, this.#leave);
    byId("keep").addEventListener("click", () => this.#ask(false));
    byId("give-up").addEventListener("click", () => {
      this.#ask(false);
      this.#ports.leave();
    });
    byId("confirm").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(false);
    });
    byId("room-password").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = /** @type {HTMLInputElement} */ (byId("room-password").querySelector("input"));
      this.#ports.enter(field.value);
      field.value = "";
    });
    this.#renderSound(ports.hasSound);
  }

  /** @param {{phase: string, isPlayer: boolean, canStart: boolean, canSit: boolean, canPlayAgain: boolean,
   *   bots: number, matchId: string, others: string, keys: [string[], string][]}} shown */
  render({ phase, isPlayer, canStart, canSit, canPlayAgain, bots, matchId, others, keys }) {
    const isOver = phase === "result";
    const isLive = LIVE.has(phase);
    const isAtStake = isLive && isPlayer;
    this.#start.hidden = !canStart;
    this.#sit.hidden = !canSit;
    this.#again.hidden = !canPlayAgain;
    byId("room-password").hidden = phase !== "password";
    this.#renderBots(bots);
    this.#renderWatch(matchId, isOver, isLive && !isPlayer);
    this.#mayLeaveAtOnce = !isAtStake;
    if (!isAtStake) this.#ask(false);
    setText(byId("confirm-text"), `Give up? The match then goes to ${others}.`);
    const isDone = isOver || phase === "gone" || phase === "password";
    const words = isPlayer ? (isLive ? "Give up" : "Leave") : "Stop watching";
    relabel(this.#leave, isAtStake ? "flag" : "", isDone ? "Back to lobby" : words);
    const place = isOver
      ? "outcome-actions"
      : phase === "gone"
        ? "overlay-actions"
        : "room-actions";
    put(this.#leave, place);
    put(this.#sit, isOver ? "outcome-actions" : "overlay-actions");
    this.#renderKeys(keys);
  }

  /** A match that is over can be watched again, a live one from its start by those who do not play. */
  #renderWatch(matchId, isOver, isWatched) {
    this.#watch.hidden = !matchId || !(isOver || isWatched);
    if (this.#watch.hidden) return;
    this.#watch.href = `/replay/${encodeURIComponent(matchId)}${isOver ? "" : "?live=1"}`;
    relabel(this.#watch, "play", isOver ? "Watch again" : "From the start");
    put(this.#watch, isOver ? "outcome-actions" : "room-actions");
  }

  /** Brings the focus to what a new phase offers, unless the user is typing. @param {string} phase */
  focus(phase) {
    if (document.activeElement instanceof HTMLInputElement) return;
    const wanted = {
      ready: [this.#start],
      result: [this.#again, this.#leave],
      password: [byId("room-password").querySelector("input")],
    }[phase];
    wanted?.find((one) => one && !one.hidden)?.focus({ preventScroll: true });
  }

  unmount() {
    if (document.fullscreenElement) document.exitFullscreen();
  }

  /** @param {number} levels */
  #renderBots(levels) {
    if (this.#bots.children.length === levels) return;
    this.#bots.replaceChildren(
      ...Array.from({ length: levels }, (_, index) =>
        button(
          levels === 1 ? "Play a bot" : `Bot: ${BOT_WORDS[index] ?? `level ${index + 1}`}`,
          () => this.#ports.addBot(index + 1),
          { className: "b" },
        ),
      ),
    );
  }

  /** @param {[string[], string][]} keys */
  #renderKeys(keys) {
    const key = JSON.stringify(keys);
    if (key === this.#key) return;
    this.#key = key;
    const parts = keys.flatMap(([names, words]) => [
      ...names.flatMap((name) => [element("kbd", { text: name }), text(" ")]),
      text(`${words}   `),
    ]);
    byId("keys").replaceChildren(...parts);
  }

  #pressedLeave() {
    if (this.#mayLeaveAtOnce) this.#ports.leave();
    else this.#ask(true);
  }

  /** @param {boolean} isAsked */
  #ask(isAsked) {
    const confirm = byId("confirm");
    if (confirm.hidden !== isAsked) return;
    const hadFocus = confirm.contains(document.activeElement);
    confirm.hidden = !isAsked;
    if (isAsked) byId("keep").focus();
    else if (hadFocus) this.#leave.focus();
  }

  async #share() {
    try {
      await navigator.clipboard.writeText(location.href);
      this.#ports.toast("The link is copied.");
    } catch {
      this.#ports.toast(location.href);
    }
  }

  async #toggleSound() {
    this.#renderSound(await this.#ports.toggleSound());
  }

  /** @param {boolean} isOn */
  #renderSound(isOn) {
    this.#mute.setAttribute("aria-label", "Sound");
    this.#mute.setAttribute("aria-pressed", String(isOn));
    this.#mute.title = isOn ? "Sound is on" : "Sound is off";
    this.#mute.replaceChildren(icon(isOn ? "sound" : "mute"));
  }
}

/** Changes the words of a button or link, if they differ, and its icon. */
function relabel(target, sign, words) {
  if (target.textContent === words) return;
  target.replaceChildren(...(sign ? [icon(sign)] : []), text(words));
}

/** Moves an element to a place, unless it is there, so that it keeps the focus. */
function put(target, id) {
  if (target.parentElement?.id === id) return;
  if (id === "room-actions") byId(id).insertBefore(target, byId(id).lastElementChild);
  else byId(id).append(target);
}

/** @param {string} words */
function text(words) {
  return document.createTextNode(words);
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.querySelector(".match")?.requestFullscreen();
}

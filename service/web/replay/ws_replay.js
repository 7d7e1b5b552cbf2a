// <ws-replay match="ID">: plays a recorded match of the service, with a scrubber, steps and speeds.
//
// Attributes: `match`; `service`, the URL of the service (default: where this module is from);
// `at`, the tick to begin at; `live`, to watch a match from its start while it is played. The
// property `token` is the JWT of the user, or a function that returns one.
// Events: `ws-replay-summary` when the match is known, `ws-replay-extended` when more is known of a
// live match, `ws-replay-tick` at each tick that is shown,
// `ws-replay-share` with the fragment of the moment, `ws-replay-live` when the user wants to go to
// the live match, `ws-replay-problem` when the match can't be read. All have a `detail`.

import { button, element, setText } from "../common/dom.js";
import { viewOf } from "../games/register.js";
import { Frames, parsedFrames } from "./frames.js";
import {
  clockText,
  fragmentOf,
  nextStop,
  said,
  scoresAt,
  stops,
  ticksPerS,
  tickIn,
  within,
} from "./timeline.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const SPEED_TEXTS = ["¼", "½", "1×", "2×", "4×"];

/** How often the summary of a live match is read again. */
const LIVE_INTERVAL_MS = 2000;

const STYLES = [
  "../common/tokens.css",
  "../common/base.css",
  "../common/lists.css",
  "./replay.css",
];

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  before: "M18 6v12l-8-6zM6 6v12",
  back: "m14 6-6 6 6 6",
  play: "M7 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  on: "m10 6 6 6-6 6",
  next: "M6 6v12l8-6zM18 6v12",
  rewound: "M4 12a8 8 0 1 0 2.5-5.8M4 4.500v4.500h4.500",
};

/** @param {keyof typeof PATHS} name */
function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "i");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * @param {keyof typeof PATHS} name
 * @param {string} label
 * @param {() => void} act
 */
function iconButton(name, label, act) {
  const made = button("", act, { className: "b icon" });
  made.append(icon(name));
  made.setAttribute("aria-label", label);
  made.title = label;
  return made;
}

export class WsReplay extends HTMLElement {
  static observedAttributes = ["match", "live"];

  /** The JWT of the user, or a function that returns one. @type {string | (() => string | Promise<string>)} */
  token = "";
  /** What is known of the match. @type {import("./timeline.js").Summary | null} */
  summary = null;
  /** The names of the players by seat. @type {string[]} */
  names = [];

  /** The parts of the player, made once. */
  left = element("span", { className: "cut you" });
  right = element("span", { className: "cut other right" });
  score = element("span", { className: "score" });
  stage = element("div", { className: "stage" });
  marks = element("div", { className: "marks" });
  past = element("span", { className: "past" });
  range = /** @type {HTMLInputElement} */ (element("input"));
  clock = element("b");
  whole = element("span", { className: "muted" });
  problem = element("p", { className: "panel wait" });
  playButton = iconButton("play", "Play", () => (this.#isPlaying ? this.pause() : this.play()));
  liveButton = button("Go to live", () => this.#tell("live", {}), { className: "b" });
  main = element("div", { className: "stack" });
  /** @type {HTMLInputElement[]} */
  radios = [];

  #tick = 0;
  #speed = 1;
  #isPlaying = false;
  #isLive = false;
  #frames = /** @type {Frames | null} */ (null);
  #view = /** @type {import("../games/register.js").View | null} */ (null);
  #shown = /** @type {any} */ (null);
  #loads = 0;
  #animation = 0;
  #before = 0;
  #timer = /** @type {ReturnType<typeof setInterval> | undefined} */ (undefined);

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    for (const style of STYLES) {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = new URL(style, import.meta.url).href;
      root.append(link);
    }
    this.#build(root);
  }

  connectedCallback() {
    this.#load();
  }

  disconnectedCallback() {
    this.pause();
    clearInterval(this.#timer);
    this.#loads += 1;
  }

  /**
   * @param {string} _name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(_name, before, after) {
    if (before !== after && this.isConnected) this.#load();
  }

  /** The tick that is shown. */
  get tick() {
    return Math.floor(this.#tick);
  }

  get isPlaying() {
    return this.#isPlaying;
  }

  /** Plays on, from the start if the match is at its end. */
  play() {
    if (!this.summary || this.#isPlaying) return;
    if (this.#tick >= this.summary.ticks && !this.#isLive) this.#tick = 0;
    this.#isPlaying = true;
    this.#before = performance.now();
    this.#animation = requestAnimationFrame((now) => this.#run(now));
    this.#showButton();
  }

  pause() {
    this.#isPlaying = false;
    cancelAnimationFrame(this.#animation);
    this.#showButton();
  }

  /** Shows a tick. @param {number} tick */
  seek(tick) {
    if (!this.summary) return;
    this.#tick = within(this.summary, tick);
    this.#show();
  }

  /** Shows the tick that many ticks away, and stands still. @param {number} by */
  step(by) {
    this.pause();
    this.seek(this.tick + by);
  }

  /** Jumps to the next point or move, or to the one before. @param {1 | -1} direction */
  jump(direction) {
    if (this.summary) this.seek(nextStop(this.summary, this.tick, direction));
  }

  /** @param {number} speed 1 is as it was played */
  set speed(speed) {
    this.#speed = speed;
    for (const one of this.radios) one.checked = Number(one.value) === speed;
  }

  get speed() {
    return this.#speed;
  }

  // Building

  /** @param {ShadowRoot} root */
  #build(root) {
    const sides = element("div", { className: "sides" }, this.left, this.score, this.right);
    Object.assign(this.range, { type: "range", min: "0", step: "1", value: "0" });
    this.range.setAttribute("aria-label", "Time");
    this.range.addEventListener("input", () => this.seek(Number(this.range.value)));
    const track = element("div", { className: "track" }, this.past);
    const scrub = element("div", { className: "scrub" }, track, this.marks, this.range);
    this.playButton.classList.add("primary");
    const buttons = element(
      "div",
      { className: "buttons" },
      iconButton("before", "Point before", () => this.jump(-1)),
      iconButton("back", "One step back", () => this.step(-1)),
      this.playButton,
      iconButton("on", "One step on", () => this.step(1)),
      iconButton("next", "Next point", () => this.jump(1)),
    );
    const when = element("span", { className: "when" }, this.clock, " / ", this.whole);
    const share = button("Share this moment", () => this.#share(), { className: "b" });
    const transport = element(
      "div",
      { className: "transport" },
      buttons,
      when,
      this.#speeds(),
      this.liveButton,
      share,
    );
    const bar = element("section", { className: "panel player-bar" }, scrub, transport, legend());
    bar.setAttribute("aria-label", "Replay");
    this.main.append(sides, this.stage, bar);
    this.main.tabIndex = -1;
    this.problem.setAttribute("role", "status");
    root.append(this.problem, this.main);
    this.addEventListener("keydown", (event) => this.#press(event));
  }

  #speeds() {
    const name = `speed-${Math.random().toString(36).slice(2)}`;
    this.radios = SPEEDS.map((speed) => {
      const radio = /** @type {HTMLInputElement} */ (element("input"));
      Object.assign(radio, { type: "radio", name, value: String(speed), checked: speed === 1 });
      radio.addEventListener("change", () => (this.#speed = speed));
      return radio;
    });
    const labels = this.radios.map((radio, index) =>
      element("label", {}, radio, new Text(SPEED_TEXTS[index])),
    );
    const group = element("div", { className: "end seg" }, ...labels);
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", "Speed");
    return group;
  }

  // Reading

  async #load() {
    const load = ++this.#loads;
    this.pause();
    clearInterval(this.#timer);
    this.summary = null;
    this.#shown = null;
    this.main.hidden = true;
    this.problem.classList.remove("bad");
    setText(this.problem, "Reading the match…");
    this.problem.hidden = false;
    const match = this.getAttribute("match");
    if (!match) return;
    try {
      const [summary, about] = await Promise.all([this.#readSummary(), this.#read("")]);
      const view = await viewOf(summary.game, () => this.#pageOf(summary.game));
      if (load !== this.#loads) return;
      this.#begin(summary, about, view);
    } catch (error) {
      if (load !== this.#loads) return;
      const { message, status = 0 } = /** @type {Error & {status?: number}} */ (error);
      this.problem.classList.add("bad");
      setText(this.problem, message);
      this.#tell("problem", { message, status });
    }
  }

  /**
   * @param {import("./timeline.js").Summary} summary
   * @param {any} about the match, as the service lists it
   * @param {import("../games/register.js").View} view
   */
  #begin(summary, about, view) {
    this.summary = summary;
    this.names = about.players.map((/** @type {any} */ player) => player.name);
    this.#view = view;
    this.#isLive = about.endedAt === null;
    this.#frames = new Frames(summary.ticks, (from, to) => this.#readFrames(from, to));
    this.problem.hidden = true;
    this.main.hidden = false;
    this.liveButton.hidden = !this.#isLive;
    setText(this.left, this.names[0] ?? "");
    setText(this.right, this.names.slice(1).join(", "));
    this.#showMarks();
    const at = Number(this.getAttribute("at"));
    this.#tick = within(summary, Number.isFinite(at) ? at : 0);
    this.#tell("summary", { summary, match: about });
    this.#show();
    if (this.#isLive) this.#timer = setInterval(() => this.#goOn(), LIVE_INTERVAL_MS);
  }

  /** Reads how far a live match has come. */
  async #goOn() {
    const load = this.#loads;
    const summary = await this.#readSummary().catch(() => null);
    if (!summary || load !== this.#loads) return;
    this.summary = summary;
    this.#frames?.extend(summary.ticks);
    this.#showMarks();
    this.#tell("extended", { summary });
    this.#show();
    if (summary.timeline.some(({ kind }) => kind === "ended")) {
      this.#isLive = false;
      this.liveButton.hidden = true;
      clearInterval(this.#timer);
    }
  }

  /** @returns {Promise<import("./timeline.js").Summary>} */
  #readSummary() {
    return this.#read(`/summary${this.hasAttribute("live") ? "?live=true" : ""}`);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  async #readFrames(from, to) {
    const live = this.hasAttribute("live") ? "&live=true" : "";
    return parsedFrames(await this.#read(`/frames?from=${from}&to=${to}${live}`, "text"));
  }

  /**
   * @param {string} path below the match
   * @param {"json" | "text"} [form]
   */
  async #read(path, form = "json") {
    const match = encodeURIComponent(this.getAttribute("match") ?? "");
    return this.#ask(`/matches/${match}${path}`, form);
  }

  get #service() {
    return this.getAttribute("service") || import.meta.url;
  }

  /**
   * The URL of the view that a game of another package brings.
   * @param {string} name
   * @returns {Promise<string | null>}
   */
  async #pageOf(name) {
    const { games } = await this.#ask("/games", "json");
    const page = games.find((/** @type {any} */ game) => game.name === name)?.page;
    return page ? new URL(page, this.#service).href : null;
  }

  /**
   * @param {string} path of the API
   * @param {"json" | "text"} form
   */
  async #ask(path, form) {
    const token = typeof this.token === "function" ? await this.token() : this.token;
    const url = new URL(`/api/v1${path}`, this.#service);
    const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } }).catch(
      () => null,
    );
    if (!response) throw new Error("The service can't be reached. Try again later.");
    if (!response.ok) {
      const problem = await response.json().catch(() => null);
      const message = problem?.detail ?? `The service has answered ${response.status}.`;
      throw Object.assign(new Error(message), { status: response.status });
    }
    return response[form]();
  }

  // Showing

  /** @param {number} now */
  #run(now) {
    const { summary } = this;
    if (!summary || !this.#isPlaying) return;
    const passed = ((now - this.#before) / 1000) * ticksPerS(summary) * this.#speed;
    this.#before = now;
    // It waits at a tick whose frame is still being read.
    if (this.#frames?.at(Math.floor(this.#tick))) this.#tick += passed;
    if (this.#tick >= summary.ticks) {
      this.#tick = summary.ticks;
      if (!this.#isLive) this.pause();
    }
    this.#show();
    if (this.#isPlaying) this.#animation = requestAnimationFrame((next) => this.#run(next));
  }

  #show() {
    const { summary } = this;
    if (!summary || !this.#frames || !this.#view) return;
    const tick = Math.floor(this.#tick);
    this.range.value = String(tick);
    this.range.setAttribute("aria-valuetext", this.#timeText(tick));
    this.past.style.width = `${(tick / Math.max(1, summary.ticks)) * 100}%`;
    setText(this.clock, clockText(summary, tick));
    setText(this.whole, clockText(summary, summary.ticks));
    const scores = scoresAt(summary, tick);
    if (this.score.dataset.said !== String(scores)) {
      this.score.dataset.said = String(scores);
      const parts = scores.flatMap((score, seat) => [
        ...(seat ? [element("i", { text: ":" })] : []),
        element("span", { text: String(score) }),
      ]);
      this.score.replaceChildren(...parts);
    }
    const frame = this.#frames.at(tick);
    if (!frame) {
      this.#frames.load(tick).then(
        () => this.tick === tick && this.#show(),
        (error) => this.#failed(error),
      );
      return;
    }
    if (frame !== this.#shown) {
      this.#shown = frame;
      this.stage.replaceChildren(
        this.#view.preview?.(frame.state, { you: 0 }) ?? plain(frame.state),
      );
      this.stage.setAttribute("aria-label", `${summary.game} at ${this.#timeText(tick)}`);
      this.stage.setAttribute("role", "img");
    }
    this.#tell("tick", { tick, state: frame.state });
  }

  /** @param {Error} error */
  #failed(error) {
    this.pause();
    this.stage.replaceChildren(element("p", { className: "note", text: error.message }));
    this.#shown = null;
  }

  /** @param {number} tick */
  #timeText(tick) {
    const summary = /** @type {import("./timeline.js").Summary} */ (this.summary);
    const unit = summary.tickHz ? "" : "move ";
    return `${unit}${clockText(summary, tick)} of ${clockText(summary, summary.ticks)}`;
  }

  #showMarks() {
    const summary = /** @type {import("./timeline.js").Summary} */ (this.summary);
    this.range.max = String(summary.ticks);
    const place = (/** @type {HTMLElement} */ made, /** @type {number} */ tick) => {
      made.style.left = `${(tick / Math.max(1, summary.ticks)) * 100}%`;
      return made;
    };
    const points = summary.tickHz ? stops(summary) : [];
    const marks = points.map((mark) => {
      const colour = mark.seat === 0 ? "you" : "other";
      const made = button("", () => this.seek(mark.tick), { className: `at ${colour}` });
      const score = mark.seat === undefined ? "" : String(mark.scores?.[mark.seat] ?? "");
      made.append(element("span", { text: score }));
      const text = `${mark.scores?.join(" to ")}, at ${clockText(summary, mark.tick)}`;
      made.setAttribute("aria-label", text);
      return place(made, mark.tick);
    });
    const rewinds = summary.timeline.filter(({ kind }) => kind === "rewound");
    for (const mark of summary.timeline) {
      // The pause in which a match went back has the sign of that.
      const isSigned = rewinds.some(({ tick }) => tick === mark.tick);
      if (mark.kind === "paused" && !isSigned) {
        const gap = element("span", { className: "gap" });
        gap.title = said(mark, this.names);
        marks.push(/** @type {any} */ (place(gap, mark.tick)));
      } else if (mark.kind === "rewound") {
        const made = button("", () => this.seek(mark.tick), { className: "at mark" });
        made.append(icon("rewound"));
        made.setAttribute("aria-label", `${said(mark, [])}, at ${clockText(summary, mark.tick)}`);
        marks.push(/** @type {any} */ (place(made, mark.tick)));
      }
    }
    this.marks.replaceChildren(...marks);
  }

  #showButton() {
    const label = this.#isPlaying ? "Pause" : "Play";
    if (this.playButton.getAttribute("aria-label") === label) return;
    this.playButton.setAttribute("aria-label", label);
    this.playButton.title = label;
    this.playButton.replaceChildren(icon(this.#isPlaying ? "pause" : "play"));
  }

  #share() {
    if (this.summary) this.#tell("share", { fragment: fragmentOf(this.summary, this.tick) });
  }

  /**
   * @param {string} name
   * @param {object} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`ws-replay-${name}`, { detail }));
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.composedPath()[0]);
    const isRange = target === this.range;
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => (this.#isPlaying ? this.pause() : this.play()),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      j: () => this.jump(-1),
      l: () => this.jump(1),
      Home: () => this.seek(0),
      End: () => this.seek(Infinity),
    };
    // A button is pressed by the space bar; a radio is chosen by arrows.
    if (event.key === " " && target instanceof HTMLButtonElement) return;
    if (event.key.startsWith("Arrow") && target instanceof HTMLInputElement && !isRange) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** @param {unknown} state */
function plain(state) {
  return element("pre", { className: "json", text: JSON.stringify(state, null, 2) });
}

function legend() {
  const made = element("div", { className: "legend" });
  for (const [key, what] of [
    ["Space", "play"],
    ["← →", "step"],
    ["J L", "points"],
  ]) {
    made.append(element("span", { className: "keys" }, element("kbd", { text: key }), what));
  }
  return made;
}

/** The tick that the fragment of a URL names, once the match is known. */
export { tickIn };

customElements.define("ws-replay", WsReplay);

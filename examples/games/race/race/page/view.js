// The hurdle race on the service's page: a lane for each runner, seen from where the first one is.

import { registerGame } from "/app/games/register.js";

const SVG = "http://www.w3.org/2000/svg";
/** How much of the track is seen, in centimetres, and where in it the first runner is. */
const SEEN = 3000;
const FIRST = 1000;
const LANE = 300;
const LEAP = 120;

/** @param {string} name @param {Record<string, string | number>} attributes @param {string} colour */
function draw(name, attributes, colour) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.style.setProperty("fill", colour);
  return made;
}

/** The picture of a state. @param {any} state @param {{you: number}} options */
function picture(state, { you }) {
  const first = Math.max(...state.runners.map(({ at }) => at));
  const left = Math.max(0, Math.min(first - FIRST, state.length - SEEN + 200));
  const height = LANE * state.runners.length;
  const svg = draw("svg", { viewBox: `${left} 0 ${SEEN} ${height}` }, "none");
  svg.append(draw("rect", { x: state.length, y: 0, width: 40, height }, "white"));
  state.runners.forEach((runner, seat) => {
    const ground = LANE * (seat + 1) - 30;
    svg.append(draw("rect", { x: left, y: ground, width: SEEN, height: 6 }, "gray"));
    for (const at of state.hurdles) {
      if (at < left || at > left + SEEN) continue;
      svg.append(draw("rect", { x: at - 8, y: ground - 70, width: 16, height: 70 }, "silver"));
    }
    const colour = seat === you ? "var(--amber)" : "var(--blue)";
    const [width, tall] = runner.lies ? [130, 50] : [50, 130];
    const y = ground - tall - (runner.flies ? LEAP : 0);
    svg.append(draw("rect", { x: runner.at - width, y, width, height: tall, rx: 20 }, colour));
    const number = draw("text", { x: left + 30, y: ground - 20, "font-size": 90 }, colour);
    number.textContent = String(seat + 1);
    svg.append(number);
  });
  return svg;
}

function mount(stage, context) {
  const track = document.createElement("div");
  stage.prepend(track);
  const jump = document.createElement("button");
  jump.type = "button";
  jump.className = "b";
  jump.textContent = "Jump";
  context.controls.append(jump);
  let state = null;
  let phase = "waiting";
  const mayJump = () => {
    const runner = state?.runners[context.seat ?? -1];
    return phase === "playing" && runner && !(runner.flies || runner.rests || runner.lies);
  };
  const leap = () => mayJump() && context.press({ jump: true });
  jump.addEventListener("click", leap);
  const press = (event) => {
    if (event.repeat || event.target.matches?.("input, textarea, select, button")) return;
    if (event.key !== " " && event.key !== "ArrowUp") return;
    event.preventDefault();
    leap();
  };
  addEventListener("keydown", press);
  return {
    update(update) {
      state = update.state;
      track.replaceChildren(picture(state, { you: context.you }));
    },
    moved({ input }) {
      if (input.kind === "jumped") context.sound("hit");
    },
    phase(next) {
      phase = next;
      jump.hidden = context.seat === null;
      jump.disabled = phase !== "playing";
    },
    reset() {
      state = null;
      track.replaceChildren();
    },
    unmount() {
      removeEventListener("keydown", press);
      track.remove();
      jump.remove();
    },
  };
}

registerGame("race", {
  layout: "turns",
  keys: [[["Space", "↑"], "jump"]],
  notation: () => "jump",
  said: (_, name) => `${name} jumped.`,
  mount,
  preview: picture,
});

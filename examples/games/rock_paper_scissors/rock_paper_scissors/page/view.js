// Rock, paper, scissors on the service's page: three buttons, and the hands of the round before.

import { registerGame } from "/app/games/register.js";

const HANDS = ["rock", "paper", "scissors"];
const SIGNS = { rock: "✊", paper: "✋", scissors: "✌" };

/** @param {string | null} hand */
const signOf = (hand) => (hand === null ? "–" : SIGNS[hand]);

/** @param {string} tag @param {string} [text] */
function make(tag, text = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function mount(stage, context) {
  const hands = make("p");
  hands.style.fontSize = "4rem";
  const told = make("p");
  const shown = make("div");
  shown.style.textAlign = "center";
  shown.append(hands, told);
  stage.prepend(shown);

  let state = null;
  let phase = "waiting";
  const buttons = HANDS.map((hand) => {
    const button = make("button", `${SIGNS[hand]} ${hand}`);
    button.type = "button";
    button.className = "b";
    button.addEventListener("click", () => choose(hand));
    return button;
  });
  context.controls.append(...buttons);

  const mayChoose = () => phase === "playing" && context.seat !== null && state?.own === null;
  async function choose(hand) {
    if (mayChoose()) await context.move({ hand });
  }
  function render() {
    for (const button of buttons) {
      button.hidden = context.seat === null;
      button.disabled = !mayChoose();
    }
    if (state === null) return;
    hands.textContent = state.last.length ? state.last.map(signOf).join("  ") : "";
    const own = state.own === null ? "" : ` You chose ${state.own}.`;
    told.textContent = `Round ${state.round}: ${state.wins.join(" to ")}.${own}`;
  }
  const press = (event) => {
    const isTyping = event.target.matches?.("input, textarea, select");
    const hand = HANDS[Number(event.key) - 1];
    if (hand && !isTyping && !event.ctrlKey && !event.altKey && !event.metaKey) choose(hand);
  };
  addEventListener("keydown", press);
  return {
    update(update) {
      if (state !== null && update.state.round > state.round) {
        context.announce(update.state.last.map((hand) => hand ?? "nothing").join(" and "));
      }
      state = update.state;
      render();
    },
    phase(next) {
      phase = next;
      render();
    },
    reset() {
      state = null;
      hands.textContent = told.textContent = "";
    },
    unmount() {
      removeEventListener("keydown", press);
      shown.remove();
      for (const button of buttons) button.remove();
    },
  };
}

registerGame("rock_paper_scissors", {
  layout: "turns",
  keys: [[["1", "2", "3"], "rock, paper, scissors"]],
  // The input of a round that timed out has no hand.
  notation: ({ hand }) => hand ?? "time",
  said: ({ hand }, name) => (hand ? `${name} chose ${hand}.` : "Time is up."),
  mount,
});

// The plain view, for games that bring none: the state as it is, moves as buttons or as JSON, and a log.

import { button, element, setText } from "../common/dom.js";
import { registerGame } from "./register.js";

const LOG_MAX = 200;

/** A value in few words: what people read is not its quotes. @param {unknown} value */
function words(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The fields of an object, `colour red, from 3`. @param {Record<string, unknown>} fields */
function fieldWords(fields) {
  const entries = Object.entries(fields ?? {});
  return entries.map(([name, value]) => `${name} ${words(value)}`).join(", ") || "pass";
}

/** @param {unknown} input an event of the rules, or what they call a move */
function inputWords(input) {
  const { kind, seat: _, ...fields } = /** @type {any} */ (input ?? {});
  if (kind === "relayed") return fieldWords(fields.move);
  const more = Object.keys(fields).length ? ` ${fieldWords(fields)}` : "";
  return `${kind ?? "move"}${more}`;
}

/** @param {any} state */
function stateList(state) {
  const list = element("dl", { className: "facts" });
  for (const [name, value] of Object.entries(state ?? {})) {
    list.append(element("dt", { text: name }), element("dd", { text: words(value) }));
  }
  return list;
}

/** @type {import("./register.js").View} */
export const generic = {
  layout: "turns",
  notation: inputWords,
  said: (input, name) => `${name}: ${inputWords(input)}.`,
  mount: (stage, context) => mountPlain(stage, context, true),
  preview(state) {
    return stateList(state);
  },
};

// Its state is no more than the number of moves.
registerGame("relay", {
  ...generic,
  mount: (stage, context) => mountPlain(stage, context, false),
});

/**
 * @param {HTMLElement} stage
 * @param {import("./register.js").Context} context
 * @param {boolean} hasState whether the state says anything
 * @returns {import("./register.js").Shown}
 */
function mountPlain(stage, context, hasState) {
  const shown = element("div", { className: "plain-state" });
  const choice = element("div", { className: "actions plain-moves" });
  const log = element("ol", { className: "plain-log" });
  const box = jsonBox(context);
  const plain = element("div", { className: "plain" }, shown, choice, box, log);
  stage.prepend(plain);
  let phase = "waiting";
  /** Counts the questions, so that only the answer to the last one is shown. */
  let asked = 0;
  async function offer() {
    const mayMove = phase === "playing" && context.seat !== null;
    const number = ++asked;
    const moves = mayMove ? await context.legalMoves() : [];
    if (number !== asked) return;
    choice.replaceChildren(
      ...moves.map((move) =>
        button(fieldWords(move), () => context.move(move), { className: "b" }),
      ),
    );
    box.hidden = !mayMove || moves.length > 0;
  }
  return {
    update({ state }) {
      if (hasState) shown.replaceChildren(stateList(state));
      offer();
    },
    moved({ seat, input }) {
      const name = context.players[seat]?.name ?? `Seat ${seat + 1}`;
      log.append(element("li", { text: `${name}: ${inputWords(input)}` }));
      while (log.children.length > LOG_MAX) log.firstElementChild?.remove();
      log.scrollTop = log.scrollHeight;
    },
    phase(next) {
      phase = next;
      offer();
    },
    reset() {
      shown.replaceChildren();
      log.replaceChildren();
    },
    unmount() {
      asked++;
    },
  };
}

/** @param {import("./register.js").Context} context */
function jsonBox(context) {
  const input = /** @type {HTMLInputElement} */ (element("input", { className: "input mono" }));
  Object.assign(input, { value: "{}", spellcheck: false, autocomplete: "off" });
  input.setAttribute("aria-label", "A move, as JSON");
  const problem = element("p", { className: "bad small" });
  problem.setAttribute("role", "alert");
  const submit = /** @type {HTMLButtonElement} */ (
    element("button", { className: "b", text: "Move" })
  );
  const form = /** @type {HTMLFormElement} */ (
    element("form", { className: "plain-json" }, input, submit, problem)
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const move = parsed(input.value);
    setText(problem, move ? "" : 'A move is a JSON object, as {"column": 3}.');
    if (move) context.move(move);
  });
  form.hidden = true;
  return form;
}

/** @param {string} text */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// The views of the games: what draws a match on its stage. Those of other packages register by the same
// call, from an ES module that the service serves at the URL `page` of its list of games.

/**
 * What a view shows of a match.
 * @typedef {object} Context
 * @property {number | null} seat of this user; null if they watch
 * @property {number} you the seat that is shown in amber: this user's, or the first one
 * @property {{id: number | string, name: string}[]} players by seat
 * @property {Record<string, unknown>} options of the room
 * @property {HTMLElement} controls a place for buttons below the stage
 * @property {(move: object) => Promise<boolean>} move makes a move; false if it was refused
 * @property {(move: object) => boolean} press sends a move without an answer, for keys
 * @property {() => Promise<object[]>} legalMoves which the game offers now; none if it lists none
 * @property {(text: string) => void} announce tells those who do not see the stage
 * @property {(name: "hit" | "drop" | "point") => void} sound
 */

/**
 * A match that is shown; `phase` is `waiting`, `ready`, `countdown`, `playing`, `paused`, `lost` or `result`.
 * @typedef {object} Shown
 * @property {(update: {run: number, tick: number, state: any}) => void} update takes a `game:update`
 * @property {(moved: {seat: number, tick: number, input: any}) => void} [moved] takes a `game:moved`
 * @property {(phase: string) => void} [phase] the phase, a seat or the players have changed
 * @property {() => void} [reset] another match begins
 * @property {() => void} unmount
 */

/**
 * A view of a game.
 * @typedef {object} View
 * @property {(stage: HTMLElement, context: Context) => Shown | Promise<Shown>} mount
 * @property {number} [ratio] of the stage's width to its height; without one it is as high as its content
 * @property {"score" | "turns"} [layout] points between two names, or a strip with a clock for each player
 * @property {[string[], string][]} [keys] keys, and what they do
 * @property {(state: any) => number | null} [turn] whose turn it is; by default the field `turn`
 * @property {(input: any) => string} [notation] an input in the list of moves
 * @property {(input: any, name: string) => string} [said] an input in words
 * @property {(state: any, options: {you: number}) => Element} [preview] a small picture
 */

/** Shared by all copies of this module, whichever URL they were loaded by. */
const KEY = Symbol.for("ws-service.views");
/** @type {Map<string, View>} */
const views = /** @type {any} */ (globalThis[KEY] ??= new Map());

/** Where the view of a built-in game is. @type {Record<string, () => Promise<unknown>>} */
const BUILT_IN = {
  pong: () => import("./pong.js"),
  connect_four: () => import("./connect_four.js"),
  relay: () => import("./generic.js"),
};

/**
 * Registers the view of a game.
 * @param {string} name of the game
 * @param {View} view
 */
export function registerGame(name, view) {
  views.set(name, view);
}

/**
 * The view of a game, loaded when it is first asked for. A game without one, or whose module fails, has
 * the plain view.
 * @param {string} name
 * @param {string | null | (() => Promise<string | null>)} [page] the URL of its module, if it is not built
 *   in, or what finds it
 * @returns {Promise<View>}
 */
export async function viewOf(name, page = null) {
  if (!views.has(name)) {
    try {
      if (BUILT_IN[name]) await BUILT_IN[name]();
      else {
        const url = typeof page === "function" ? await page() : page;
        if (url) await import(url);
      }
    } catch (error) {
      console.warn(`the view of ${name} could not be loaded:`, error);
    }
  }
  return views.get(name) ?? (await import("./generic.js")).generic;
}

// The places of the page by their URLs; each is a module that is loaded when it is first shown.

/**
 * @typedef {{roomId?: string, matchId?: string, userId?: string, query: URLSearchParams}} Params
 * @typedef {{unmount: () => void, changed?: (params: Params) => void}} Mounted
 *   `changed` shows other parameters without a new mount
 * @typedef {{mount: (root: HTMLElement, app: import("./main.js").App, params: Params) => Mounted}} Module
 * @typedef {{name: string, title: string, params: Params, load: () => Promise<Module>}} Place
 */

/** @type {[RegExp, string, string, "roomId" | "matchId" | "userId" | "", () => Promise<any>][]} */
const PLACES = [
  [/^\/$/, "lobby", "Lobby", "", () => import("./lobby.js")],
  [/^\/live$/, "live", "Live matches", "", () => import("./live.js")],
  [/^\/matches$/, "matches", "Matches", "", () => import("./matches.js")],
  [/^\/player\/([^/]+)$/, "player", "Player", "userId", () => import("./player.js")],
  [/^\/room\/([^/]+)$/, "room", "Room", "roomId", () => import("./game.js")],
  [/^\/replay\/([^/]+)$/, "replay", "Watch again", "matchId", () => import("./replay.js")],
];

/**
 * The place at a URL of this page.
 * @param {URL | Location} url
 * @returns {Place | null} null where there is none
 */
export function placeOf(url) {
  for (const [path, name, title, key, load] of PLACES) {
    const found = path.exec(url.pathname);
    if (!found) continue;
    const params = { query: new URLSearchParams(url.search) };
    try {
      if (key) params[key] = decodeURIComponent(found[1]);
    } catch {
      return null; // A broken escape.
    }
    return { name, title, params, load };
  }
  return null;
}

/**
 * The path and query of a place.
 * @param {string} path
 * @param {Record<string, string | null | undefined>} [query] empty values are left out
 * @returns {string}
 */
export function urlOf(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const text = String(new URLSearchParams(/** @type {[string, string][]} */ (given)));
  return text ? `${path}?${text}` : path;
}

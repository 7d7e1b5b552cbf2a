// The operators' console: signs in, shows the place that the URL names, and keeps it up to date.

import { byId, element } from "../common/dom.js";
import { Problem, get, storeToken, storedToken } from "./api.js";
import { mountList } from "./lists.js";
import { mountMatch } from "./match.js";
import { mountOverview } from "./overview.js";

const EVERY_MS = 2000;

/**
 * @typedef {object} Place
 * @property {string} title
 * @property {() => Promise<void>} refresh rejects with a `Problem`
 */

/**
 * @typedef {object} App
 * @property {boolean} canAct
 * @property {(text: string) => void} toast
 * @property {(url: string, how?: {replace?: boolean}) => void} go
 * @property {(work: Promise<unknown>) => Promise<boolean>} tried shows why it failed, if it did
 * @property {() => void} refreshNow
 */

const root = byId("place");
/** @type {Place | null} */
let place = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let turn = 0;

/** @type {App} */
const app = {
  canAct: false,
  toast(text) {
    const toast = element("p", { className: "toast", text });
    byId("toasts").append(toast);
    setTimeout(() => toast.remove(), 6000);
  },
  go(url, { replace = false } = {}) {
    history[replace ? "replaceState" : "pushState"](null, "", url);
    show();
  },
  async tried(work) {
    try {
      await work;
      refresh();
      return true;
    } catch (error) {
      app.toast(error instanceof Error ? error.message : String(error));
      return false;
    }
  },
  refreshNow: refresh,
};

/** Shows the place that the URL names, or the form to sign in. */
function show() {
  turn += 1;
  clearTimeout(timer);
  byId("sign-out").hidden = !storedToken();
  const path = location.pathname.replace(/\/+$/, "");
  for (const link of byId("places").querySelectorAll("a")) {
    const href = link.pathname;
    const here = href === "/admin" ? path === href : path.startsWith(href);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  root.replaceChildren();
  if (!storedToken()) {
    place = null;
    signIn("");
    return;
  }
  const [, , name = "", id = ""] = path.split("/");
  if (name === "") place = mountOverview(root, app);
  else if (name === "matches" && id) place = mountMatch(root, app, decodeURIComponent(id));
  else place = mountList(root, app, name);
  document.title = `${place.title} · Console`;
  refresh();
}

/** Brings the place up to date, now and then every two seconds while it can be seen. */
async function refresh() {
  clearTimeout(timer);
  const mine = turn;
  if (place && !document.hidden) {
    try {
      await place.refresh();
      if (mine === turn) setState("Live", "");
    } catch (error) {
      if (mine === turn) failed(error);
    }
  }
  if (mine === turn && place) {
    clearTimeout(timer);
    timer = setTimeout(refresh, EVERY_MS);
  }
}

/** @param {unknown} error */
function failed(error) {
  if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
    storeToken("");
    turn += 1;
    place = null;
    root.replaceChildren();
    byId("sign-out").hidden = true;
    signIn(error.message);
    return;
  }
  setState(error instanceof Error ? error.message : String(error), "bad");
}

/**
 * @param {string} text
 * @param {string} tone
 */
function setState(text, tone) {
  const dot = element("span", { className: `dot ${tone}` });
  const state = byId("state");
  if (state.textContent !== text) state.replaceChildren(dot, new Text(text));
}

/** @param {string} why why there is no access, or nothing */
function signIn(why) {
  document.title = "Console";
  byId("state").textContent = "";
  const template = /** @type {HTMLTemplateElement} */ (byId("t-sign-in"));
  root.append(template.content.cloneNode(true));
  const form = /** @type {HTMLFormElement} */ (root.querySelector("form"));
  const problem = /** @type {HTMLElement} */ (form.querySelector("[role=alert]"));
  problem.hidden = !why;
  problem.textContent = why;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(String(new FormData(form).get("token") ?? "").trim());
  });
  const dev = byId("dev-sign-in");
  dev.hidden = !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  dev.addEventListener("click", async () => {
    const answer = await fetch("/dev/token", {
      method: "POST",
      body: JSON.stringify({ name: "Operator", scope: "admin" }),
    }).catch(() => null);
    if (answer?.ok) {
      enter((await answer.json()).token);
    } else {
      problem.hidden = false;
      problem.textContent = "This service is not started for development: use a token.";
    }
  });
}

/**
 * Tries a token, and shows the console, or why the token does not do.
 * @param {string} token
 */
async function enter(token) {
  storeToken(token);
  try {
    app.canAct = (await get("/admin/figures")).canAct;
    show();
  } catch (error) {
    failed(error);
  }
}

byId("sign-out").addEventListener("click", () => {
  storeToken("");
  app.go("/admin");
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const link = event.target.closest("a");
  const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.button);
  if (!link || !isPlain || link.origin !== location.origin) return;
  if (!/^\/admin(\/|$)/.test(link.pathname)) return;
  event.preventDefault();
  app.go(link.href);
  root.focus();
});
addEventListener("popstate", show);

if (storedToken()) enter(storedToken());
else show();

// The form that stands before every place until there is a token; the URL stays as it is.

import { byId, clone, setText } from "../common/dom.js";
import { NotInDevelopmentMode, tokenForName } from "./session.js";

/**
 * @param {HTMLElement} root
 * @param {(token: string, name?: string | null) => void} signIn
 * @param {string} problem shown at first; may be empty
 */
export function mountSignIn(root, signIn, problem) {
  root.className = "welcome";
  root.append(clone("t-signin"));
  setText(byId("signin-error"), problem);
  if (/^\/(room|replay|player)\//.test(location.pathname)) {
    setText(byId("signin-lead"), "Choose a name, and you are where the link leads.");
  }
  const name = /** @type {HTMLInputElement} */ (byId("name"));
  let isWaiting = false; // The button may be pressed twice.
  byId("signin").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isWaiting) return;
    isWaiting = true;
    try {
      const text = name.value.trim();
      signIn(await tokenForName(text), text);
    } catch (caught) {
      const error = /** @type {Error} */ (caught);
      isWaiting = false;
      if (error instanceof NotInDevelopmentMode) askForToken();
      else setText(byId("signin-error"), error.message);
    }
  });
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    signIn(/** @type {HTMLInputElement} */ (byId("token")).value.trim());
  });
  name.focus({ preventScroll: true });
}

function askForToken() {
  setText(byId("signin-error"), "This server requires a token. Paste yours below.");
  /** @type {HTMLDetailsElement} */ (byId("token-details")).open = true;
  byId("token").focus();
}

// The choice between the system's theme, dark and light; ../common/theme.js applies it at a start.

import { setText } from "../common/dom.js";

const KEY = "ws-service.theme";
const WORDS = { "": "as the system", dark: "dark", light: "light" };
const NEXT = { "": "dark", dark: "light", light: "" };

/** @param {HTMLElement} chooser a button that shows the theme, and takes the next one */
export function listenToTheme(chooser) {
  const root = document.documentElement;
  const show = () => setText(chooser, `Theme: ${WORDS[root.dataset.theme ?? ""]}`);
  chooser.addEventListener("click", () => {
    const theme = NEXT[root.dataset.theme ?? ""];
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    try {
      if (theme) localStorage.setItem(KEY, theme);
      else localStorage.removeItem(KEY);
    } catch {
      // Storage may be disabled; then the choice ends with the page.
    }
    show();
  });
  show();
}

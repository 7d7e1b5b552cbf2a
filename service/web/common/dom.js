// DOM helpers. Names of players are untrusted: they are only
// assigned to `textContent`.

/**
 * The element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} when the page has no such element
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * A new element.
 * @param {string} tag
 * @param {{className?: string, text?: string, data?: Record<string, string>}} [options]
 * @param {...Node} children
 * @returns {HTMLElement}
 */
export function element(tag, { className = "", text = "", data = {} } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/**
 * A new button that calls `onClick`.
 * @param {string} text
 * @param {() => void} onClick
 * @param {{className?: string, data?: Record<string, string>}} [options]
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick, options = {}) {
  const made = /** @type {HTMLButtonElement} */ (element("button", { text, ...options }));
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/**
 * Writes text only when it differs, so that a live region is not read out again.
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

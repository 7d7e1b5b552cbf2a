// DOM helpers. Names of players are untrusted: they are only
// assigned to `textContent`.

const SVG = "http://www.w3.org/2000/svg";

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
 * The first element within `root` that has `data-part` of this name.
 * @param {ParentNode} root
 * @param {string} name
 * @returns {HTMLElement}
 * @throws {Error} when there is none
 */
export function part(root, name) {
  const found = root.querySelector(`[data-part="${name}"]`);
  if (!found) throw new Error(`there is no part ${name}`);
  return /** @type {HTMLElement} */ (found);
}

/**
 * A new element; `attrs` are set as attributes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{className?: string, text?: string, data?: Record<string, any>,
 *   attrs?: Record<string, string>}} [options]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(
  tag,
  { className = "", text = "", data = {}, attrs = {} } = {},
  ...children
) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(attrs)) made.setAttribute(name, value);
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
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * A copy of the content of a `<template>`.
 * @param {string} id
 * @returns {HTMLElement} its first element
 */
export function clone(id) {
  const { content } = /** @type {HTMLTemplateElement} */ (byId(id));
  return /** @type {HTMLElement} */ (document.importNode(content, true).firstElementChild);
}

/**
 * A new SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} [attrs]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attrs = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attrs)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * An icon of the page's sprite; it is decoration, unless it has a `label`.
 * @param {string} name
 * @param {string} [label]
 * @returns {SVGElement}
 */
export function icon(name, label = "") {
  /** @type {Record<string, string>} */
  const attrs = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return svg("svg", { class: "i", ...attrs }, svg("use", { href: `#i-${name}` }));
}

/**
 * The sign of a game; one for all games that have none of their own.
 * @param {string} game
 * @returns {SVGElement}
 */
export function glyph(game) {
  const name = document.getElementById(`g-${game}`) ? game : "any";
  return svg("svg", { class: "glyph", "aria-hidden": "true" }, svg("use", { href: `#g-${name}` }));
}

/**
 * The first letter of a name, in a circle.
 * @param {string} name
 * @param {string} [className] "you", "large"
 * @returns {HTMLElement}
 */
export function avatar(name, className = "") {
  const text = ([...name.trim()][0] ?? "?").toUpperCase();
  const attrs = { "aria-hidden": "true" };
  return element("span", { className: `avatar ${className}`, text, attrs });
}

/**
 * Shows one child per item, in their order; a child whose key stays is kept as an element, so that
 * the focus stays where it is.
 * @template Item
 * @param {Element} list
 * @param {Item[]} items
 * @param {(item: Item) => string} key
 * @param {(item: Item) => HTMLElement} make
 * @param {(child: HTMLElement, item: Item) => void} [update]
 */
export function keyed(list, items, key, make, update = () => {}) {
  const children = /** @type {HTMLElement[]} */ ([...list.children]);
  const kept = new Map(children.map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const id = key(item);
    const child = kept.get(id) ?? make(item);
    kept.delete(id);
    child.dataset.key = id;
    update(child, item);
    if (list.children[place] !== child) list.insertBefore(child, list.children[place] ?? null);
  });
  for (const child of kept.values()) child.remove();
}

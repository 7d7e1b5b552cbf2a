// Small line charts of the last quarter of an hour.

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 160;
const HEIGHT = 32;

/**
 * A chart of values over time; gaps are nulls. With `limit` zero is the base line, and the area is
 * filled; the limit is dashed.
 * @param {Array<number | null>} values
 * @param {{limit?: number, slots: number}} options how many values a full chart has
 * @returns {SVGSVGElement}
 */
export function chart(values, { limit, slots }) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("chart");
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return svg;
  const most = Math.max(...known, limit ?? 0);
  const least = limit === undefined ? Math.min(...known) : 0;
  const span = most - least || 1;
  const y = (/** @type {number} */ value) => HEIGHT - 2 - ((value - least) / span) * (HEIGHT - 4);
  const first = slots - values.length;
  /** @type {string[]} */
  const line = [];
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const x = ((first + index) / Math.max(slots - 1, 1)) * WIDTH;
    line.push(`${pen}${x.toFixed(1)} ${y(value).toFixed(1)}`);
    pen = "L";
  });
  const add = (/** @type {string} */ name, /** @type {string} */ path) => {
    const part = document.createElementNS(NAMESPACE, "path");
    part.setAttribute("class", name);
    part.setAttribute("d", path);
    svg.append(part);
  };
  if (limit !== undefined) {
    if (!values.includes(null)) {
      const left = ((first / Math.max(slots - 1, 1)) * WIDTH).toFixed(1);
      add("area", `${line.join("")}L${WIDTH} ${HEIGHT}L${left} ${HEIGHT}z`);
    }
    add("limit", `M0 ${y(limit).toFixed(1)}H${WIDTH}`);
  }
  add("ink", line.join(""));
  return svg;
}

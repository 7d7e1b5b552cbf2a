// Times as m:ss.

/**
 * A time that has passed as m:ss or h:mm:ss, rounded down.
 * @param {number} ms
 */
export function minutes(ms) {
  const s = Math.max(0, Math.floor(ms / 1000 + 1e-6));
  const two = (/** @type {number} */ value) => String(value % 60).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const m = Math.floor(s / 60);
  return `${hours ? `${hours}:${two(m)}` : m}:${two(s)}`;
}

/**
 * A time that is left as m:ss, rounded up: the last second is not shown as over.
 * @param {number} ms
 */
export function minutesLeft(ms) {
  return minutes(1000 * Math.ceil(ms / 1000));
}

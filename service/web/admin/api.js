// The operators' part of the HTTP API, with the operator's token.

const KEY = "ws-service.operator-token";

/** A request that the service has refused; `message` says why. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The token of this tab, or an empty text. */
export function storedToken() {
  return sessionStorage.getItem(KEY) ?? "";
}

/**
 * Keeps the token for this tab; an empty one is forgotten.
 * @param {string} token
 */
export function storeToken(token) {
  if (token) sessionStorage.setItem(KEY, token);
  else sessionStorage.removeItem(KEY);
}

/**
 * Sends a request; rejects with a `Problem`.
 * @param {string} path below `/api/v1`
 * @param {RequestInit} [init]
 * @returns {Promise<any>}
 */
async function send(path, init = {}) {
  const headers = { Authorization: `Bearer ${storedToken()}`, ...init.headers };
  let response;
  try {
    response = await fetch(`/api/v1${path}`, { ...init, headers });
  } catch {
    throw new Problem(0, "NOT_REACHED", "The service can't be reached; it is tried again.");
  }
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) {
    const detail = body?.detail ?? `The service has answered ${response.status}.`;
    throw new Problem(response.status, body?.code ?? "", detail);
  }
  return body;
}

/**
 * @param {string} path
 * @param {Record<string, string | number | null | undefined>} [params] empty ones are left out
 * @returns {Promise<any>}
 */
export function get(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  return send(query.size ? `${path}?${query}` : path);
}

/**
 * @param {string} action below `/admin`
 * @param {Record<string, unknown>} body
 * @returns {Promise<any>}
 */
export function act(action, body) {
  return send(`/admin/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

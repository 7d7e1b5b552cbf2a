// The token of this tab. `sessionStorage` belongs to one tab and survives a reload, so two tabs
// of one browser can be two users.

const TOKEN = "ws-service.token";
const NAME = "ws-service.name";

/** The server is not in development mode and issues no tokens. */
export class NotInDevelopmentMode extends Error {}

/**
 * The token of this tab: from the URL, from which it is then removed, or the stored one.
 * @returns {string | null}
 */
export function currentToken() {
  const url = new URL(location.href);
  const given = url.searchParams.get("token");
  if (given) {
    url.searchParams.delete("token");
    history.replaceState(null, "", url);
    keep(given);
    return given;
  }
  return read(TOKEN);
}

/**
 * Stores the token for reloads of this tab.
 * @param {string} token
 * @param {string | null} [name] of the user, if the server issues tokens for names
 */
export function keep(token, name = null) {
  write(TOKEN, token);
  write(NAME, name);
}

/** Removes the stored token. */
export function forget() {
  write(TOKEN, null);
  write(NAME, null);
}

/** Whether a new token can be requested without the user. */
export function canRenew() {
  return read(NAME) !== null;
}

/**
 * Returns a newer token of the same user, or the old one if none can be requested.
 * @returns {Promise<string>}
 */
export async function renewedToken() {
  const name = read(NAME);
  if (name === null) return currentToken() ?? "";
  const token = await tokenForName(name);
  keep(token, name);
  return token;
}

/**
 * Requests a token from a server in development mode.
 * @param {string} name
 * @returns {Promise<string>}
 * @throws {NotInDevelopmentMode} when the server issues none
 * @throws {Error} with a message for the user when the name is refused or the server is unreachable
 */
export async function tokenForName(name) {
  let response;
  try {
    response = await fetch("/dev/token", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name }),
    });
  } catch {
    throw new Error("The server does not answer. Is it running?");
  }
  if (response.status === 404) throw new NotInDevelopmentMode();
  const answer = await response.json().catch(() => ({}));
  if (!response.ok || !answer.token) {
    throw new Error(answer.message || "The server could not sign you in.");
  }
  return answer.token;
}

/** Storage may be disabled; then a reload asks for the name again. */
function read(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    // See `read`.
  }
}

// The token of this tab. `sessionStorage` belongs to one tab and outlives a reload, so two tabs
// of one machine can be two people.

const TOKEN = "ws-service.token";
const NAME = "ws-service.name";

/** The server is not in development mode: names get no tokens here. */
export class NotInDevelopmentMode extends Error {}

/**
 * The token of this tab: from the page's address, where it does not stay, or the stored one.
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
 * Keeps the token for reloads of this tab.
 * @param {string} token
 * @param {string | null} [name] whose it is, if the server gives a token for a name
 */
export function keep(token, name = null) {
  write(TOKEN, token);
  write(NAME, name);
}

/** Forgets who this tab is. */
export function forget() {
  write(TOKEN, null);
  write(NAME, null);
}

/** Whether another token can be had without the user. */
export function canRenew() {
  return read(NAME) !== null;
}

/**
 * A newer token of the same user; the old one, when there is no way to another.
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
 * Asks a server in development mode for a token.
 * @param {string} name
 * @returns {Promise<string>}
 * @throws {NotInDevelopmentMode} when this server gives none
 * @throws {Error} with words for the user when the name is refused or nobody answers
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

/** Storage may be forbidden; then a reload asks for the name again. */
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

// The token of this tab. `sessionStorage` belongs to one tab and outlives a reload, so two tabs
// of one machine can be two people.

const KEY = "ws-service.token";

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
    keepToken(given);
    return given;
  }
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // Storage may be forbidden; then a reload asks for the name again.
  }
}

/**
 * Keeps the token for reloads of this tab; `null` forgets it.
 * @param {string | null} token
 */
export function keepToken(token) {
  try {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  } catch {
    // See `currentToken`.
  }
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

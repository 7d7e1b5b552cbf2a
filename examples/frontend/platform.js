// The other services: who we are, our friends, our matches.

const KEY = "platform.token";

/** The token of this tab; `sessionStorage` lets two tabs be two people. */
export function token() {
  return sessionStorage.getItem(KEY);
}

export function signOut() {
  sessionStorage.removeItem(KEY);
}

/**
 * @param {"sign-in" | "sign-up"} how
 * @throws {Error} with words for the user
 */
export async function sign(how, name, password) {
  const answer = await ask("POST", `/${how}`, { name, password });
  sessionStorage.setItem(KEY, answer.token);
}

export async function config() {
  return ask("GET", "/config");
}

export async function me() {
  return (await ask("GET", "/users/me")).user;
}

export async function nameOf(id) {
  return (await ask("GET", `/users/public/${encodeURIComponent(id)}`)).name;
}

export async function addFriend(friendId) {
  await ask("POST", "/users/me", { action: "add_friend", friendId });
}

async function ask(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.text()) || response.statusText);
  return response.json();
}

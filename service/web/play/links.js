// Links to share.

/**
 * Copies a link, and says so.
 * @param {import("./main.js").App} app
 * @param {string} url
 */
export async function copyLink(app, url) {
  try {
    await navigator.clipboard.writeText(url);
    app.toast("The link is copied.");
  } catch {
    app.toast(url); // Where the clipboard is not allowed, as without TLS.
  }
}

// Applies the chosen theme before the first paint: a classic script, since modules run after it.

(() => {
  try {
    const theme = localStorage.getItem("ws-service.theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be disabled; then the system's theme is used.
  }
})();

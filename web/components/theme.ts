// Light, dark or as the system says. A cookie, so that the server writes it into the page and nothing flashes.
const YEAR_S = 365 * 24 * 3600;

export function offerThemes(): void {
  for (const group of document.querySelectorAll<HTMLElement>("[data-theme-choice]")) {
    group.hidden = false;
    group.addEventListener("click", (event) => {
      const button = (event.target as HTMLElement).closest("button");
      if (!button) return;
      choose(button.value);
      for (const each of group.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
    });
  }
}

function choose(theme: string): void {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  // biome-ignore lint/suspicious/noDocumentCookie: the CookieStore API is missing in Firefox
  document.cookie = `theme=${theme}; path=/; max-age=${theme ? YEAR_S : 0}; samesite=lax`;
}

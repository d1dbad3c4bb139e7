// Results while one types. The server renders them; this fetches, shows and lets the arrow keys walk through them.
import { isForeignKey, say, singleKeysWork } from "./status";

const DEBOUNCE_MS = 100;

class SearchBox extends HTMLElement {
  private input!: HTMLInputElement;
  private panel: HTMLElement | null = null;
  private timer = 0;
  private request: AbortController | null = null;
  private shown = "";

  connectedCallback(): void {
    const input = this.querySelector<HTMLInputElement>("input[type=search]");
    if (!input) return;
    this.input = input;
    this.shown = input.value.trim();
    input.addEventListener("input", () => this.typed());
    input.addEventListener("focus", () => this.panel?.hasChildNodes() && this.open(true));
    this.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("click", (event) => {
      if (!this.contains(event.target as Node)) this.open(false);
    });
    this.addEventListener("focusout", (event) => {
      const to = event.relatedTarget as Node | null;
      if (to && !this.contains(to)) this.open(false);
    });
  }

  focusField(): void {
    this.input.focus();
    this.input.select();
  }

  /** Where results go: the page's own list, or a panel under the field. */
  private get place(): HTMLElement {
    const own = this.dataset.results ? document.getElementById(this.dataset.results) : null;
    if (own) return own;
    if (!this.panel) {
      this.panel = document.createElement("div");
      this.panel.className = "search-panel results";
      this.panel.hidden = true;
      this.append(this.panel);
    }
    return this.panel;
  }

  private typed(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.search(), DEBOUNCE_MS);
  }

  private async search(): Promise<void> {
    const query = this.input.value.trim();
    if (query === this.shown) return;
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    if (!query && this.panel) {
      this.shown = "";
      this.panel.replaceChildren();
      this.open(false);
      return;
    }
    const address = `/search?q=${encodeURIComponent(query)}`;
    this.place.setAttribute("aria-busy", "true");
    try {
      const reply = await fetch(address, { headers: { "HX-Request": "true" }, signal: request.signal });
      if (!reply.ok) throw new Error(String(reply.status));
      this.show(query, await reply.text());
      if (this.dataset.results) history.replaceState(null, "", address);
    } catch (error) {
      if (request.signal.aborted) return;
      console.info("search", error);
      say("Search does not answer. The words are kept; try again.");
    }
    this.place.removeAttribute("aria-busy");
  }

  private show(query: string, html: string): void {
    const results = new DOMParser().parseFromString(html, "text/html").getElementById("results");
    if (!results) return;
    this.place.replaceChildren(...results.childNodes);
    if (this.panel?.querySelector("[data-hit]")) this.panel.append(allResults(query));
    this.shown = query;
    this.open(true);
    const count = this.place.querySelector("[data-announce]")?.textContent;
    say(count ?? "No lesson answers this yet", true);
  }

  private open(visible: boolean): void {
    if (this.panel) this.panel.hidden = !visible || !this.panel.hasChildNodes();
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.panel && !this.panel.hidden) {
      event.preventDefault();
      this.input.focus();
      this.open(false);
      return;
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    const links = [...this.place.querySelectorAll<HTMLAnchorElement>("a[data-hit]")];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (!links.length || (at < 0 && step < 0)) return;
    event.preventDefault();
    this.open(true);
    (links[at + step] ?? (at + step < 0 ? this.input : links[at]))?.focus();
  }
}

function allResults(query: string): HTMLAnchorElement {
  const link = document.createElement("a");
  link.href = `/search?q=${encodeURIComponent(query)}`;
  link.className = "panel-all";
  link.dataset.hit = "";
  link.textContent = "Show all results";
  return link;
}

customElements.define("lc-search-box", SearchBox);

// On the search page the results stand outside the box; the arrows work there as well.
document.addEventListener("keydown", (event) => {
  const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
  const slash = event.key === "/" && singleKeysWork() && !isForeignKey(event);
  if (!command && !slash) return;
  const box = document.querySelector<SearchBox>("lc-search-box");
  if (!box) return;
  event.preventDefault();
  box.focusField();
});

// What every page has: htmx, the search box, the live stream, the colour choice, copy buttons.
import htmx from "htmx.org";
import { offerCopies } from "./copy";
import { followEvents } from "./live";
import "./search-box";
import { say } from "./status";
import { offerThemes } from "./theme";

document.addEventListener("htmx:sendError", () => say("The network does not answer. Nothing was changed."));
document.addEventListener("htmx:responseError", () =>
  say("That did not work. Nothing was changed. Try again."),
);
document.addEventListener("htmx:afterSwap", () => offerCopies());
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.person[open]")) {
    if (!menu.contains(event.target as Node)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const menu = document.querySelector<HTMLDetailsElement>("details.person[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  }
});
offerThemes();
offerCopies();
followEvents((part) => htmx.process(part));

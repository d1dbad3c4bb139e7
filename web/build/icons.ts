import { readFileSync } from "node:fs";
import type { Plugin } from "vite";

/** The icons in use, by their Lucide names. The templates ask for them by `icon("name")`. */
const NAMES = [
  "arrow-left",
  "arrow-right",
  "captions",
  "check",
  "chevron-down",
  "chevron-right",
  "circle-alert",
  "circle-check",
  "circle-dashed",
  "circle-help",
  "circle-x",
  "clock",
  "copy",
  "download",
  "ear",
  "film",
  "inbox",
  "keyboard",
  "link",
  "list-video",
  "loader-circle",
  "locate-fixed",
  "log-out",
  "message-square",
  "monitor",
  "moon",
  "play",
  "plus",
  "refresh-cw",
  "rotate-ccw",
  "rotate-cw",
  "search",
  "search-x",
  "send",
  "settings",
  "shield-check",
  "smartphone",
  "sun",
  "trash-2",
  "triangle-alert",
  "upload",
  "user",
  "users",
  "video",
  "video-off",
  "volume-x",
  "wrench",
  "x",
];

const FAVICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="#0f6b63"/>
<path d="M8 9.6c0-1.2 1.3-2 2.4-1.4l9.2 5.4c1.5.9 1.5 3 0 3.9L10.400 23c-1.100.6-2.400-.2-2.400-1.400z" fill="#fff"/>
<path d="M23 10v12" stroke="#ffc857" stroke-width="3" stroke-linecap="round"/>
</svg>`;

function symbol(name: string): string {
  const path = `node_modules/lucide-static/icons/${name}.svg`;
  const inner = readFileSync(path, "utf8")
    .replace(/[\s\S]*?<svg[\s\S]*?>/, "")
    .replace(/<\/svg>\s*$/, "")
    .replace(/\s*\n\s*/g, "");
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
}

/** Makes one cached SVG sprite and the favicon; both get a hashed name and stand in the manifest. */
export function icons(): Plugin {
  return {
    name: "lorecast-icons",
    apply: "build",
    generateBundle() {
      const source = `<svg xmlns="http://www.w3.org/2000/svg">${NAMES.map(symbol).join("")}</svg>`;
      this.emitFile({ type: "asset", name: "icons.svg", originalFileName: "icons.svg", source });
      this.emitFile({ type: "asset", name: "favicon.svg", originalFileName: "favicon.svg", source: FAVICON });
    },
  };
}

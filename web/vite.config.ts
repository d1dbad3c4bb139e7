import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";
import { icons } from "./build/icons";
import { precompress } from "./build/precompress";

// One entry for style, one script for every page, one more for each family of pages that holds state.
export default defineConfig({
  base: "/static/",
  publicDir: false,
  plugins: [tailwindcss(), icons(), precompress()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: [
        "styles/main.css",
        "components/main.ts",
        "components/lesson.ts",
        "components/review.ts",
        "components/upload.ts",
      ],
    },
  },
});

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(css|js|svg|json)$/;

/** Writes a `.br` and a `.gz` beside each text file, so that the server only has to choose. */
export function precompress(): Plugin {
  return {
    name: "lorecast-precompress",
    apply: "build",
    closeBundle() {
      const folder = join("dist", "assets");
      for (const name of readdirSync(folder).filter((each) => TEXT.test(each))) {
        const path = join(folder, name);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
        );
      }
    },
  };
}

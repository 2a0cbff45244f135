// What the extension contains of its server, as tools/build_vsix.py lays it out: the server's wheel, pip's wheel, the locked
// requirements, and in the extension for one platform the wheels of all packages.

import { createHash } from "node:crypto";
import { promises as fs } from "node:fs";
import * as path from "node:path";
import { SetupError } from "./setupError";

export interface Bundle {
  folder: string;
  /** The target of this VSIX, such as `linux-x64`; `universal` contains no packages. */
  platform: string;
  /** The versions of CPython that the lock and the packages are for, oldest first. */
  pythons: readonly string[];
  /** pip's wheel, from which pip runs: an environment does not need a pip of its own. */
  pip: string;
  /** Identifies the server and the versions of all its packages. */
  hash: string;
}

export async function readBundle(folder: string): Promise<Bundle> {
  try {
    const names = await fs.readdir(folder);
    const { platform, pythons } = JSON.parse(await fs.readFile(path.join(folder, "bundle.json"), "utf8")) as Bundle;
    const lock = await fs.readFile(requirementsOf({ folder }, "index"));
    const pip = names.find((name) => /^pip-.*\.whl$/.test(name));
    if (pip !== undefined && names.some((name) => /^kato_lsp-.*\.whl$/.test(name))) {
      const hash = createHash("sha256").update(lock).digest("hex").slice(0, 8);
      return { folder, platform, pythons, pip: path.join(folder, pip), hash };
    }
  } catch {
    // reported below
  }
  throw new SetupError(
    "This build of the extension does not contain a server. Install kato-lsp with pip and set kato.server.command.",
    "settings",
  );
}

/** From where packages come: the extension itself, or a package index. */
export type Source = "bundle" | "index";

export function wheelsOf({ folder }: Pick<Bundle, "folder">): string {
  return path.join(folder, "wheels");
}

export function requirementsOf(bundle: Pick<Bundle, "folder">, source: Source): string {
  return path.join(source === "bundle" ? wheelsOf(bundle) : bundle.folder, "requirements.txt");
}

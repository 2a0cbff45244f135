// The names of notes and exports. Pure.

import * as path from "node:path";

/** A file as it is named from a folder that holds it; the whole path of any other file. */
export function fromFolder(file: string, folder: string | undefined): string {
  const inner = folder === undefined ? "" : path.relative(folder, file);
  return inner === "" || /^\.\.([\\/]|$)/.test(inner) || path.isAbsolute(inner) ? file : inner;
}

/** The first name that is free: the file's own, or with `-2`, `-3` … before its extension. */
export async function unused(file: string, exists: (file: string) => Promise<boolean>): Promise<string> {
  const [, stem = file, extension = ""] = /^(.*?)(\.[^./\\]+)$/s.exec(file) ?? [];
  for (let number = 1; ; number++) {
    const tried = number === 1 ? file : `${stem}-${number}${extension}`;
    if (!(await exists(tried))) {
      return tried;
    }
  }
}

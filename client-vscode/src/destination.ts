// The names of exports. Pure.

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

// Where a capture is proposed to go. Pure.

const NAME_CHARS_MAX = 60;

/** `2026-02-24-memory-and-status.md`: the day of a conversation's last message, and its title. */
export function fileName(title: string, when: Date, extension = "md"): string {
  const words = title
    .normalize("NFC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  const short = [...words].slice(0, NAME_CHARS_MAX).join("").replace(/-+$/, "");
  const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
  return `${day}-${short === "" ? "conversation" : short}.${extension}`;
}

/** The file itself, or with `-2`, `-3` … before its extension: the first that is not there yet. */
export async function unused(file: string, exists: (file: string) => Promise<boolean>): Promise<string> {
  const [, stem = file, extension = ""] = /^(.*?)(\.[^./\\]+)$/s.exec(file) ?? [];
  for (let number = 1; ; number++) {
    const tried = number === 1 ? file : `${stem}-${number}${extension}`;
    if (!(await exists(tried))) {
      return tried;
    }
  }
}

/** `kato.captureDirectory` as a path; undefined where it needs a folder and none is open. */
export function captureDirectory(setting: string, workspaceFolder: string | undefined, home: string): string | undefined {
  const text = setting.trim();
  if (text.includes("${workspaceFolder}") && workspaceFolder === undefined) {
    return undefined;
  }
  const path = text.replaceAll("${workspaceFolder}", workspaceFolder ?? "").replace(/^~(?=$|[\\/])/, home);
  if (path === "") {
    return workspaceFolder;
  }
  if (!/^([\\/]|[A-Za-z]:[\\/])/.test(path)) {
    return workspaceFolder === undefined ? undefined : `${workspaceFolder}/${path}`;
  }
  return path;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

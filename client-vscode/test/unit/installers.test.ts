// How an environment is made, and what is reported if it cannot be made: tables, without a process.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bundle } from "../../src/bundle";
import {
  explain,
  fetchable,
  hasPackages,
  installers,
  type Base,
  type Fault,
  type Installer,
} from "../../src/installers";

const PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"];
const LINUX: Bundle = {
  folder: "/x/server",
  platform: "linux-x64",
  pythons: PYTHONS,
  pip: "/x/server/pip.whl",
  hash: "1",
};
const UNIVERSAL: Bundle = { ...LINUX, platform: "universal" };
const python = (version: string, implementation = "cpython"): Base & { python: object } => ({
  python: { executable: "/usr/bin/python3", version, implementation },
});
const COVERED = python("3.11.7");
const NEWER = python("3.15.0");
const FETCHED: Base = { fetched: fetchable(LINUX) };

for (const [title, bundle, { python: found }, has] of [
  ["a CPython of the matrix", LINUX, COVERED, true],
  ["the newest CPython of the matrix", LINUX, python("3.14.0"), true],
  ["a CPython after the matrix", LINUX, NEWER, false],
  ["a build without the GIL", LINUX, python("3.14.0", "cpython-t"), false],
  ["PyPy", LINUX, python("3.11.7", "pypy"), false],
  ["any Python, in the universal extension", UNIVERSAL, COVERED, false],
] as const) {
  test(`the extension ${has ? "contains" : "does not contain"} the packages for ${title}`, () => {
    assert.equal(hasPackages(bundle, found as Parameters<typeof hasPackages>[1]), has);
  });
}

for (const [title, bundle, base, hasUv, ways] of [
  ["with uv", LINUX, COVERED, true, "uv bundle, pip bundle, uv index, pip index"],
  ["without uv", LINUX, COVERED, false, "pip bundle, pip index"],
  ["for a Python that the extension has no packages for", LINUX, NEWER, false, "pip index"],
  ["for the universal extension", UNIVERSAL, COVERED, true, "uv index, pip index"],
  ["for a Python that uv fetches", LINUX, FETCHED, true, "uv bundle, uv index"],
] as const) {
  test(`an environment is made ${title} by: ${ways}`, () => {
    const found = installers(bundle, base, hasUv, "/s/new", "linux").map(({ name, source }) => `${name} ${source}`);
    assert.equal(found.join(", "), ways);
  });
}

const every = installers(LINUX, COVERED, true, "/s/new", "linux");
const words = ({ install }: Installer): string => install.join(" ");

test("every installation takes the versions and hashes of the lock, and no dependency that the lock does not name", () => {
  for (const one of [...every, ...installers(UNIVERSAL, FETCHED, true, "/s/new", "linux")]) {
    assert.match(words(one), /--no-deps --require-hashes --requirement \/x\/server\/(wheels\/)?requirements\.txt$/);
  }
});

test("an installation from the extension's packages reads no index and none of the user's configuration", () => {
  const [uv, pip, ...others] = every;
  for (const one of [uv, pip]) {
    assert.match(words(one ?? assert.fail()), /--no-index --find-links \/x\/server\/wheels/);
  }
  assert.match(words(uv ?? assert.fail()), /--no-config --offline/);
  assert.match(words(pip ?? assert.fail()), /--isolated/);
  assert.deepEqual(pip?.environment, { PIP_CONFIG_FILE: "/dev/null" });
  for (const one of others) {
    assert.doesNotMatch(words(one), /--no-index|--offline|--isolated/);
    assert.deepEqual(one.environment, {}, "the user's index is used");
  }
});

test("pip runs from its wheel, in an environment without a pip", () => {
  const pip = every[1] ?? assert.fail();
  assert.deepEqual(pip.make, ["/usr/bin/python3", "-I", "-m", "venv", "--without-pip", "/s/new"]);
  assert.deepEqual(pip.install.slice(0, 3), ["/s/new/bin/python", "-I", "-c"]);
  assert.equal(pip.install[4], "/x/server/pip.whl");
});

test("uv fetches a Python only of the versions for which the extension has the packages, and is not offline for it", () => {
  const [first] = installers(LINUX, FETCHED, true, "/s/new", "linux");
  assert.deepEqual(first?.make, ["uv", "venv", "--python", ">=3.10,<3.15", "/s/new"]);
  assert.match(words(first), /--offline/);
});

const NO_MATCH = "ERROR: No matching distribution found for orjson==3.13.0";
const NO_NETWORK = "error: Failed to fetch: `https://example.org/simple/orjson/`";
const bundle = (output: string): Fault => ({ source: "bundle", step: "install", output });
const index = (output: string): Fault => ({ source: "index", step: "install", output });

for (const [title, base, contents, faults, cure, message] of [
  [
    "the universal extension without a network",
    COVERED,
    UNIVERSAL,
    [index(NO_NETWORK)],
    "retry",
    /could not download .* Without a network, install the extension's VSIX for your platform.* CPython 3\.10 to 3\.14/,
  ],
  [
    "a Python that the extension has no packages for, without a network",
    NEWER,
    LINUX,
    [index(NO_NETWORK)],
    "python",
    /CPython 3\.10 to 3\.14 on linux-x64, which \/usr\/bin\/python3 \(3\.15\.0\) does not fit\. Choose such a Python/,
  ],
  [
    "a Python for another processor, without a network",
    COVERED,
    LINUX,
    [bundle(NO_MATCH), index(NO_NETWORK)],
    "python",
    /which \/usr\/bin\/python3 \(3\.11\.7\) does not fit/,
  ],
  [
    "a damaged extension without a network",
    COVERED,
    LINUX,
    [bundle("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"), index(NO_NETWORK)],
    "retry",
    /a package in the extension is damaged\. Install the extension again/,
  ],
  [
    "an index with another file of the same version",
    COVERED,
    UNIVERSAL,
    [index("× Failed to download `attrs`\n Hash mismatch for `attrs==26.1.0`")],
    "retry",
    /the index offers a package that differs/,
  ],
  [
    "a full disk without a network",
    COVERED,
    LINUX,
    [bundle("OSError: [Errno 28] No space left on device"), index(NO_NETWORK)],
    "retry",
    /no space is left/,
  ],
  [
    "a machine without Python, on which uv has no network",
    FETCHED,
    LINUX,
    [{ source: "bundle", step: "make", output: NO_NETWORK }],
    "python",
    /Python 3\.10 or newer .* uv could not download one\. Install Python, or choose one/,
  ],
  [
    "a Python without the venv module",
    COVERED,
    LINUX,
    [index("/usr/bin/python3: No module named venv")],
    "python",
    /sudo apt install python3-venv/,
  ],
] as const) {
  test(`${title} is explained with the cure “${cure}”`, () => {
    const error = explain(faults, base, contents);
    assert.match(error.message, message);
    assert.equal(error.cure, cure);
  });
}

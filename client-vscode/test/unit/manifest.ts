// The extension's manifest, for tests that compare it with other declarations.

import { readFileSync } from "node:fs";
import { contributed, type Category } from "../../src/settings";

/** A setting as `package.json` contributes it. */
export interface Property extends Record<string, unknown> {
  pattern?: string;
  patternProperties?: object;
}

export interface Manifest {
  repository: { url: string };
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
  contributes: {
    configuration: Category<Property>[];
    keybindings: { key: string; mac: string; when?: string }[];
    viewsWelcome: { view: string; contents: string; when: string }[];
    walkthroughs: {
      description: string;
      steps: { description: string; media: { image: Record<string, string>; altText: string } }[];
    }[];
  };
}

export const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

/** The settings of all categories. */
export const properties = contributed(manifest.contributes.configuration);

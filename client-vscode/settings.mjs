// Writes the server's settings from contract.json into package.json: types, bounds, defaults, scopes, descriptions.
// What only VS Code knows of a setting (its order and its pattern) stays as it is. A workspace that is not trusted cannot set a
// new setting, until someone removes it from the restricted ones. Run it with `npm run settings`.
import { readFileSync, writeFileSync } from "node:fs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const contract = JSON.parse(readFileSync("contract.json", "utf8"));
const properties = manifest.contributes.configuration.properties;
const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
const LAST_ORDER = 89;

for (const { name, default: value, environment, needsRestart, items, ...setting } of contract.settings) {
  if (!(`kato.${name}` in properties)) restricted.push(`kato.${name}`);
  const earlier = properties[`kato.${name}`] ?? { order: LAST_ORDER };
  delete earlier.description;
  properties[`kato.${name}`] = {
    ...earlier,
    ...setting,
    ...(items && { items: { ...earlier.items, ...items } }),
    default: value ?? "",
  };
}
writeFileSync("package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);

// Writes the server's settings from contract.json into package.json: types, bounds, defaults, scopes, descriptions, and the
// category and the place of each. What only VS Code knows of a setting (its pattern) stays as it is. A workspace that is not
// trusted cannot set a new setting, until someone removes it from the restricted ones. Run it with `npm run settings`.
import { readFileSync, writeFileSync } from "node:fs";

/** The categories of the settings editor, each with its settings in their order; `*` stands for those without a place. */
const CATEGORIES = {
  Notes: [
    "notes.directory",
    "notes.fileName",
    "notes.redactSecrets",
    "notes.*",
    "allowedWriteRoots",
    "exclusiveWriteRoots",
    "captureDirectory",
  ],
  "Note Content": ["markdown.toolCalls", "markdown.toolLines", "markdown.headingStyle", "markdown.*"],
  Conversations: ["keepHistory", "journal", "providerSessionRoots"],
  Memory: ["daemonMaxMemoryMb", "maxSessions", "maxEventsPerSession", "maxMessageMb"],
  Server: ["*", "server.command", "server.python", "stateDir", "heartbeatSeconds", "logLevel"],
};

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const contract = JSON.parse(readFileSync("contract.json", "utf8"));
const restricted = manifest.capabilities.untrustedWorkspaces.restrictedConfigurations;
const properties = Object.assign({}, ...[manifest.contributes.configuration].flat().map((one) => one.properties));

for (const { name, default: value, environment, needsRestart, items, ...setting } of contract.settings) {
  if (!(`kato.${name}` in properties)) restricted.push(`kato.${name}`);
  const earlier = properties[`kato.${name}`] ?? {};
  delete earlier.description;
  properties[`kato.${name}`] = {
    ...earlier,
    ...setting,
    ...(items && { items: { ...earlier.items, ...items } }),
    default: value ?? "",
  };
}

const placed = Object.entries(CATEGORIES).flatMap(([title, names]) => names.map((name, index) => [name, title, index]));
const fits = (pattern, name) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
/** The category of a setting and its place there; a pattern of more letters is the better one. */
function place(name) {
  const [best] = placed.filter(([pattern]) => fits(pattern, name)).sort(([a], [b]) => b.length - a.length);
  return { category: best[1], rank: best[2] };
}
const found = Object.keys(properties).map((name) => ({ name, ...place(name.replace(/^kato\./, "")) }));
manifest.contributes.configuration = Object.keys(CATEGORIES).map((title, index) => {
  const own = found.filter(({ category }) => category === title).sort((a, b) => a.rank - b.rank);
  const inOrder = own.map(({ name }, order) => [name, { ...properties[name], order: order + 1 }]);
  return { title, order: index + 1, properties: Object.fromEntries(inOrder) };
});
writeFileSync("package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);

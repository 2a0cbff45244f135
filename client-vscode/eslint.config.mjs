// The linter's rules: typescript-eslint's strict set with types, for the extension and its unit tests. The tests in a real
// editor and the build script are plain JavaScript: the rules that need types do not apply to them.
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  { ignores: [".node/", "dist/", "dist-test/", ".vscode-test/", "test-results/"] },
  {
    files: ["src/**/*.ts", "test/unit/**/*.ts", "api.d.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // VS Code's API takes any object with a class's members for an instance: `Disposable` is implemented, not extended.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    files: ["test/unit/**/*.ts"],
    rules: {
      // The runner waits for the tests that a file registers.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: "test" }] },
      ],
      // A function that stands for an asynchronous one needs its signature only.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["**/*.mjs", "test/editor/**/*.js"],
    extends: [tseslint.configs.strict, tseslint.configs.disableTypeChecked],
    rules: { "@typescript-eslint/no-require-imports": ["error", { allow: ["node:http", "vscode"] }] },
  },
  // A variable may stand for a property that the rest of an object must not have.
  { rules: { "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }] } },
);

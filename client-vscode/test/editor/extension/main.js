// Calls Kato's API and the editor's for the tests: POST {"call": "appendEvents", "args": [...]} to 127.0.0.1:KATO_TEST_PORT.
const http = require("node:http");
const vscode = require("vscode");

exports.activate = async (context) => {
  const kato = await vscode.extensions.getExtension("kato.kato").activate();
  const statuses = [];
  context.subscriptions.push(kato.onDidChangeStatus((status) => statuses.push(status)));
  const calls = {
    appendEvents: (params) => kato.appendEvents(params),
    capture: (session) => kato.capture(session),
    memory: () => kato.memory(),
    status: () => kato.status() ?? null,
    statusCount: () => statuses.length,
    version: () => kato.version,
    set: (name, value, target) =>
      vscode.workspace.getConfiguration().update(name, value ?? undefined, vscode.ConfigurationTarget[target]),
    isTrusted: () => vscode.workspace.isTrusted,
    get: (name) => vscode.workspace.getConfiguration().get(name) ?? null,
    activeEditor: () => {
      const editor = vscode.window.activeTextEditor;
      return editor
        ? {
            isDirty: editor.document.isDirty,
            scheme: editor.document.uri.scheme,
            path: editor.document.uri.path,
            language: editor.document.languageId,
            text: editor.document.getText(),
          }
        : null;
    },
    /** What the editor has of a document's features, of all extensions together. */
    shownOf: async (path) => {
      const uri = vscode.Uri.file(path);
      const ask = (feature, ...args) =>
        vscode.commands.executeCommand(`vscode.execute${feature}Provider`, uri, ...args);
      const { lineCount, lineAt } = await vscode.workspace.openTextDocument(uri);
      const heading = Array.from({ length: lineCount }, (_, line) => line).find((line) =>
        lineAt(line).text.startsWith("# User_"),
      );
      const names = (symbols) => symbols.flatMap((one) => [one.name, ...names(one.children ?? [])]);
      const hovers = await ask("Hover", new vscode.Position(heading ?? 0, 2));
      return {
        symbols: names((await ask("DocumentSymbol")) ?? []),
        folds: ((await ask("FoldingRange")) ?? []).length,
        links: ((await ask("Link")) ?? []).map((link) => String(link.target)),
        hover: hovers.flatMap((hover) => hover.contents.map((one) => one.value ?? one)).join("\n"),
      };
    },
    open: (path) => vscode.window.showTextDocument(vscode.Uri.file(path)).then(() => null),
    reveal: (path) => vscode.commands.executeCommand("revealInExplorer", vscode.Uri.file(path)),
    execute: (command, ...args) => vscode.commands.executeCommand(command, ...args).then((result) => result ?? null),
  };
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", async () => {
      try {
        const { call, args } = JSON.parse(body);
        response.end(JSON.stringify({ result: (await calls[call](...args)) ?? null }));
      } catch (error) {
        response.end(JSON.stringify({ error: error.message, code: error.code }));
      }
    });
  });
  server.listen(Number(process.env.KATO_TEST_PORT), "127.0.0.1");
  context.subscriptions.push({ dispose: () => server.close() });
};

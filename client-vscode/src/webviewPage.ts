// The frame that all pages of the extension have: the folders that they load from, the head and the content security policy.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

/** A page runs the script `dist/NAME.js`, and takes its looks from `media/NAME.css`. */
export interface WebviewPage {
  name: "memory" | "transcript";
  title: string;
  body: string;
}

/** Puts the page into the panel. It runs no script but its own, and loads nothing from elsewhere. */
export function fillPanel(panel: vscode.WebviewPanel, extension: vscode.Uri, page: WebviewPage): void {
  const { webview } = panel;
  const folders = { dist: vscode.Uri.joinPath(extension, "dist"), media: vscode.Uri.joinPath(extension, "media") };
  const address = (folder: vscode.Uri, file: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(folder, file)).toString();
  const nonce = randomBytes(16).toString("base64url");
  const policy = [
    "default-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "img-src data:",
    `style-src ${webview.cspSource}`,
    `script-src 'nonce-${nonce}'`,
  ];
  panel.iconPath = vscode.Uri.joinPath(folders.media, "icon.svg"); // kato.svg is white: VS Code uses it as a mask
  webview.options = { enableScripts: true, localResourceRoots: Object.values(folders) };
  webview.html = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy.join("; ")}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${address(folders.media, `${page.name}.css`)}">
<title>${page.title}</title>
</head>
<body>
${page.body}
<script nonce="${nonce}" src="${address(folders.dist, `${page.name}.js`)}"></script>
</body>
</html>`;
}

-- Does in Neovim what a user of the recipe does, and writes what the editor shows to $KATO_SEEN as JSON.

local seen = {}

local function until_true(what, condition)
  if not vim.wait(60000, condition, 20) then
    error(what .. " did not come")
  end
end

local function client()
  local all = vim.lsp.get_clients and vim.lsp.get_clients({ name = "kato" }) or vim.lsp.get_active_clients()
  return all[1]
end

local function ask(method, params)
  local answers = vim.lsp.buf_request_sync(0, method, params, 60000)
  for _, answer in pairs(answers or {}) do
    return answer.result
  end
end

local function run()
  vim.cmd("edit " .. vim.env.KATO_START)
  until_true("the server", function() return client() and client().server_capabilities end)
  seen.server = client().config.name
  seen.options = client().config.init_options
  until_true("the conversation's status", function() return vim.g.kato ~= nil end)
  seen.status = vim.g.kato
  until_true("the conversation", function()
    local status = ask("kato/status", { includeStale = true })
    return status and #status.sessions > 0
  end)

  vim.cmd("KatoCapture " .. vim.env.KATO_NOTE)
  until_true("the note", function() return vim.fn.filereadable(vim.env.KATO_NOTE) == 1 end)
  until_true("the recording", function() return vim.g.kato:find(" 1 recording") ~= nil end)
  seen.after = vim.g.kato

  vim.cmd("edit " .. vim.env.KATO_NOTE)
  until_true("the note's client", function()
    if vim.lsp.get_clients then
      return #vim.lsp.get_clients({ bufnr = 0 }) > 0
    end
    return next(vim.lsp.buf_get_clients(0)) ~= nil
  end)
  local this = { textDocument = vim.lsp.util.make_text_document_params() }
  seen.symbols = vim.tbl_map(
    function(item) return vim.trim(item.text) end,
    vim.lsp.util.symbols_to_items(ask("textDocument/documentSymbol", this), 0, "utf-16")
  )
  vim.lsp.codelens.refresh({ bufnr = 0 })
  until_true("the lenses", function()
    local lenses = vim.lsp.codelens.get(0)
    return #lenses > 1 and lenses[1].command
  end)
  seen.lenses = vim.tbl_map(function(lens) return lens.command.title end, vim.lsp.codelens.get(0))
  vim.fn.search("^# User_")
  seen.hover = ask("textDocument/hover", vim.lsp.util.make_position_params(0, "utf-16")).contents.value
  seen.folds = ask("textDocument/foldingRange", this)
  if vim.lsp.foldexpr then
    until_true("the folds", function() return vim.fn.foldlevel(1) == 1 and vim.fn.foldlevel(".") == 1 end)
    seen.folded = true
  end
  seen.messages = vim.fn.execute("messages")
end

local ok, reason = pcall(run)
seen.error = not ok and tostring(reason) or nil
local encode = vim.json and vim.json.encode or vim.fn.json_encode
vim.fn.writefile({ encode(seen) }, vim.env.KATO_SEEN)
vim.cmd("qall!")

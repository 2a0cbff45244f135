;;; Does in Emacs what a user of the recipe does, and writes what the editor shows to $KATO_SEEN as JSON.  -*- lexical-binding: t -*-

(require 'json)
(package-initialize)
(require 'eglot)
(require 'imenu)
(load (getenv "KATO_RECIPE"))

(defvar kato-seen nil)

(defun kato-see (key value)
  "Note that the editor shows VALUE under KEY."
  (push (cons key value) kato-seen))

(defun kato-until (what condition)
  "Wait until CONDITION is true, or fail and name WHAT."
  (let ((deadline (+ (float-time) 60)))
    (while (not (funcall condition))
      (when (> (float-time) deadline) (error "%s did not come" what))
      (accept-process-output nil 0.05)
      ;; The jsonrpc of Emacs 28 leaves messages that come together with an answer until the next one comes.
      (when (eglot-current-server)
        (jsonrpc-request (eglot-current-server) :kato/memory nil)))))

(defun kato-names (index)
  "The names in an imenu INDEX, at all levels."
  (apply #'append
         (mapcar (lambda (one)
                   (cons (substring-no-properties (car one))
                         (and (consp (cdr one)) (consp (cadr one)) (kato-names (cdr one)))))
                 index)))

(defun kato-run ()
  "Play the user."
  (find-file (getenv "KATO_START"))
  (kato-see 'mode (symbol-name major-mode))
  ;; A batch Emacs runs no `post-command-hook', where `eglot-ensure' connects.
  (kato-see 'ensured (and (memq 'eglot-ensure markdown-mode-hook) t))
  (apply #'eglot (eglot--guess-contact))
  (kato-until "the server" #'eglot-current-server)
  (kato-see 'server (eglot-project-nickname (eglot-current-server)))
  (kato-until "the status" (lambda () (string-match-p "^Kato [0-9]+ MB" kato-status)))
  (kato-see 'status kato-status)
  (kato-until "the conversation"
              (lambda ()
                (< 0 (length (plist-get (jsonrpc-request (eglot-current-server) :kato/status '(:includeStale t))
                                        :sessions)))))
  (kato-capture (getenv "KATO_NOTE"))
  (kato-until "the note" (lambda () (file-exists-p (getenv "KATO_NOTE"))))
  (kato-until "the recording" (lambda () (string-match-p " 1 recording" kato-status)))
  (kato-see 'after kato-status)
  (find-file (getenv "KATO_NOTE"))
  (kato-until "the note's client" #'eglot-managed-p)
  (kato-see 'symbols (vconcat (kato-names (funcall imenu-create-index-function))))
  (goto-char (point-min))
  (re-search-forward "^# User_")
  (eglot--signal-textDocument/didChange)
  (let ((hover (jsonrpc-request (eglot-current-server) :textDocument/hover (eglot--TextDocumentPositionParams))))
    (kato-see 'hover (eglot--hover-info (plist-get hover :contents) (plist-get hover :range))))
  (kato-see 'lenses (length (jsonrpc-request (eglot-current-server) :textDocument/codeLens
                                             (list :textDocument (eglot--TextDocumentIdentifier)))))
  (kato-see 'folds (length (jsonrpc-request (eglot-current-server) :textDocument/foldingRange
                                            (list :textDocument (eglot--TextDocumentIdentifier)))))
  (with-current-buffer (messages-buffer)
    (kato-see 'messages (buffer-string)))
  (eglot-shutdown (eglot-current-server)))

(condition-case failure
    (kato-run)
  (error (kato-see 'error (error-message-string failure))))
(with-temp-file (getenv "KATO_SEEN")
  (insert (json-encode kato-seen)))

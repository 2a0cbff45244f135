"""Claude Code: the kinds that hold nothing that the user or the assistant said.

Two families of record exist. Conversation records (`user`, `assistant`, `system`, `attachment`) have a `uuid` and a
`parentUuid`. Bookkeeping records have only their kind, `sessionId` and a payload.

`*` stands for any characters (see `Dispatch`). A kind that stands neither here nor in a table of `reader` is counted as
unknown.
"""

from typing import Final

#: Bookkeeping records.
BOOKKEEPING: Final = frozenset(
    """
    agent-color agent-setting artifact-* atis-latch attribution-snapshot bridge-session content-replacement cost-state
    dev-mods ended ended-by-model file-history-delta file-history-snapshot fork-context-ref frame-link
    history-suppression isolation-latch last-prompt marble-origami-* mode observer-ref permission-mode pr-link progress
    relocated result runtime-config speculation-accept started tag worktree-state
    """.split()
)

#: Subtypes of `system` records. Any other subtype is shown with its text.
SYSTEM: Final = frozenset(
    "bridge_status local_command memory_saved session_start stop_hook_summary turn_duration".split()
)

#: Types of `attachment` records: what the host adds to the model's context.
ATTACHMENTS: Final = frozenset(
    """
    agent_listing_delta agent_mention async_hook_response async_hook_response_batch auto_mode auto_mode_exit
    bash_output_audience_note batching_reminder batching_reminder_sent budget_usd command_permissions
    compact_file_reference companion_intro cowork_memory_context date date_change deferred_tools_delta
    deferred_tools_record diagnostics dir_sync_notice directory dynamic_skill edited_text_file environment file
    fork_briefing goal_status instructions invoked_skills language max_turns_reached mcp_instructions_delta model
    nested_memory opened_file_in_ide output_style output_style_instructions peer_mention plan_file_reference plan_mode
    plan_mode_exit plan_mode_reentry poll_events prompt_snapshot read_truncation_notice relevant_memories
    remote_session_change sandbox_instructions secondary_reminder selected_lines_in_ide session_context
    silent_turn_reminder skill_listing structured_output task_reminder task_status team_context teammate_mailbox
    teammate_shutdown_batch thinking_drop thinking_stripped todo_reminder tool_host_result_lines tool_hosts_notice
    tool_search_usage_reminder total_tokens_reminder ultra_effort_* workflow_*
    """.split()
)
#: Types of attachments that report on a hook.
HOOKS: Final = frozenset(
    """
    hook_additional_context hook_blocking_error hook_cancelled hook_deferred_tool hook_error_during_execution
    hook_non_blocking_error hook_permission_decision hook_stopped_continuation hook_success
    """.split()
)

#: Blocks of a reply that hold nothing to read.
BLOCKS: Final = frozenset(["redacted_thinking", "fallback"])

"""Notes: renders conversations as Markdown, decides which paths may be written, writes the files and repairs them.

rendering    transcript (the rules) with transcript_state, headings (of speakers), rendering (pieces), summary, tool_blocks, tools,
             decisions, markup, safe_markdown, masking and redaction (secrets), facts, frontmatter; html and plain for other formats
files        policy (which paths), opening, files, replacing, leftovers (temporary files), images
notes        notebook (whole notes), appending and changes (recorded notes), looks (what is missing), heads, transcripts
editors      held (notes with unsaved changes in an editor), saves; note_head and outline (what an editor shows of a note)
"""

"""Code Assist (``cloudcode-pa.googleapis.com/v1internal``), which Gemini CLI speaks after "Login with Google".

The Gemini API in an envelope: ``{model, project, user_prompt_id, request: {…, session_id}}``.
"""

from translators.formats.gemini.envelope import Envelope


class GeminiCLI(Envelope):
    name = "gemini-cli"
    session = "session_id"

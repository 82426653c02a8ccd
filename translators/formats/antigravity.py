"""Antigravity (``daily-cloudcode-pa.googleapis.com/v1internal``), Google's editor, for Gemini and Claude models.

The Gemini API in Code Assist's envelope: ``{project, model, requestId, requestType, userAgent, request: {…,
sessionId}}``. Tools are always called in the mode ``VALIDATED``, and thoughts go back only with Antigravity's own
signature: behind one name there are models of several makers, so that nobody else's would be taken.
"""

from translators.formats.gemini.envelope import Envelope
from translators.formats.gemini.render import Dialect

_NAME = "antigravity"


class Antigravity(Envelope):
    name = _NAME
    session = "sessionId"
    dialect = Dialect(signed_by=frozenset({_NAME}), validated=True, unsigned_thoughts=False)

"""Requests by hand for what nests deeper: content parts, histories, tools that providers run, and choices among them."""

from tests.matrix.request_facts import JSON
from tests.matrix.request_fields import OTHER, PDF, PNG, SCHEMA, TOOL, WAV, Body

_A, _C, _R, _G = "anthropic-messages", "openai-chat", "openai-responses", "gemini"


def _asks(*parts: Body) -> Body:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "See:"}, *parts]}]}


def _input(*parts: Body) -> Body:
    return {"input": [{"role": "user", "content": [{"type": "input_text", "text": "See:"}, *parts]}]}


def _contents(*parts: Body) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": "See:"}, *parts]}]}


def _tools(name: str, *tools: Body, **more: JSON) -> Body:
    return {"tools": [TOOL[name], *tools], **more}


_FUNCTION = {"functionCallingConfig": {"mode": "NONE"}}
_CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"city": "Bonn", "unit": "C"}}


def _answered(result: Body, *before: Body) -> Body:
    """A conversation in which ``look`` was called and answered."""
    messages: list[JSON] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [*before, _CALL]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", **result}]},
    ]
    return _tools(_A, messages=messages)


PARTS: dict[str, dict[str, Body]] = {
    _A: {
        "image by address": _asks({"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}}),
        "image": _asks({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
        "image file": _asks({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        "pdf": _asks({
            "type": "document", "title": "A", "context": "B", "citations": {"enabled": True},
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        }),
        "pdf by address": _asks({"type": "document", "source": {"type": "url", "url": "https://a.example/a.pdf"}}),
        "document": _asks({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Wörter"}}),
        "document of blocks": _asks({"type": "document", "source": {"type": "content", "content": "Wörter"}}),
        "search result": _asks({
            "type": "search_result", "source": "https://a.example", "title": "A", "content": [{"type": "text", "text": "B"}],
        }),
        "container upload": _asks({"type": "container_upload", "file_id": "file_1"}),
        "cached text": _asks({"type": "text", "text": "Long", "cache_control": {"type": "ephemeral"}}),
        "failed result": _answered({"content": "No such city", "is_error": True}),
        "image result": _answered({"content": [
            {"type": "text", "text": "Map:"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ]}),
        "empty result": _answered({}),
        "thinking": _answered({"content": "20"}, {"type": "thinking", "thinking": "I look.", "signature": "c2ln"}),
        "redacted thinking": _answered({"content": "20"}, {"type": "redacted_thinking", "data": "c2VjcmV0"}),
        "server tool": _answered(
            {"content": "20"},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Bonn"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        ),
        "tool reference": {
            **_answered({"content": [{"type": "tool_reference", "tool_name": "hear"}]}),
            "tools": [TOOL[_A], {**OTHER[_A], "defer_loading": True}],
        },
        "system in between": {"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": "From now on be brief."},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": "Go on"},
        ]},
        "adaptive thinking": {"thinking": {"type": "adaptive", "display": "summarized"}},
        "no thinking": {"thinking": {"type": "disabled"}},
        "any tool": _tools(_A, tool_choice={"type": "any"}),
        "no tool": _tools(_A, tool_choice={"type": "none"}),
        "strict tool": {"tools": [{**TOOL[_A], "strict": True}]},
        "tool examples": {"tools": [{
            **TOOL[_A], "input_examples": [{"city": "Bonn", "unit": "C"}], "cache_control": {"type": "ephemeral"},
        }]},
        "web search": _tools(_A, {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}),
        "code execution": _tools(_A, {"type": "code_execution_20250825", "name": "code_execution"}),
        "shell": _tools(_A, {"type": "bash_20250124", "name": "bash"}),
        "tool search": _tools(_A, {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}),
        "sampling of the older API": {"temperature": 0.3, "top_p": 0.9, "top_k": 5},
    },
    _C: {
        "image": _asks({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}),
        "image by address": _asks({"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}),
        "sound": _asks({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}),
        "pdf": _asks({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}),
        "file": _asks({"type": "file", "file": {"file_id": "file-1"}}),
        "developer": {"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
        "names": {"messages": [{"role": "user", "name": "ada", "content": "Hi"}]},
        "refusal": {"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "user", "content": "Why?"},
        ]},
        "custom tool": _tools(_C, {"type": "custom", "custom": {
            "name": "patch", "description": "Edits",
            "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}},
        }}),
        "custom call": {"tools": [{"type": "custom", "custom": {"name": "patch"}}], "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [
                {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "Done"}]},
        ]},
        "any tool": _tools(_C, tool_choice="required"),
        "no tool": _tools(_C, tool_choice="none"),
        "allowed tools": _tools(_C, OTHER[_C], tool_choice={"type": "allowed_tools", "allowed_tools": {
            "mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}],
        }}),
        "json mode": {"response_format": {"type": "json_object"}},
        "no reasoning": {"reasoning_effort": "none"},
        "highest effort": {"reasoning_effort": "max"},
    },
    _R: {
        "image": _input({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"}),
        "image file": _input({"type": "input_image", "file_id": "file-1", "detail": "auto"}),
        "pdf": _input({"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}),
        "pdf by address": _input({"type": "input_file", "file_url": "https://a.example/a.pdf"}),
        "file": _input({"type": "input_file", "file_id": "file-1"}),
        "developer in between": {"input": [
            {"role": "user", "content": "Hi"},
            {"role": "developer", "content": "From now on be brief."},
            {"role": "user", "content": "Go on"},
        ]},
        "encrypted reasoning": {"tools": [TOOL[_R]], "input": [
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "encrypted_content": "c2VjcmV0",
             "summary": [{"type": "summary_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"city":"Bonn","unit":"C"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": [
                {"type": "input_text", "text": "Map:"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
            ]},
        ]},
        "custom tool": {
            "tools": [{"type": "custom", "name": "patch", "format": {
                "type": "grammar", "syntax": "lark", "definition": "start: WORD",
            }}],
            "input": [
                {"role": "user", "content": "Hi"},
                {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "*** Begin"},
                {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Done"},
            ],
        },
        "namespace": {
            "tools": [{"type": "namespace", "name": "mcp__box", "description": "A box", "tools": [TOOL[_R]]}],
            "input": [
                {"role": "user", "content": "Hi"},
                {"type": "function_call", "call_id": "call_1", "name": "look", "namespace": "mcp__box",
                 "arguments": '{"city":"Bonn","unit":"C"}'},
                {"type": "function_call_output", "call_id": "call_1", "output": "20"},
            ],
        },
        "additional tools": {"input": [
            {"type": "additional_tools", "role": "developer", "tools": [TOOL[_R]]}, {"role": "user", "content": "Hi"},
        ]},
        "deferred tool": _tools(_R, {**OTHER[_R], "defer_loading": True}, {"type": "tool_search"}),
        "web search": _tools(_R, {"type": "web_search", "search_context_size": "low"}),
        "code": _tools(_R, {"type": "code_interpreter", "container": {"type": "auto"}}),
        "file search": _tools(_R, {"type": "file_search", "vector_store_ids": ["vs_1"]}),
        "computer": _tools(_R, {"type": "computer"}),
        "mcp": _tools(_R, {"type": "mcp", "server_label": "box", "server_url": "https://a.example/mcp"}),
        "any tool": _tools(_R, tool_choice="required"),
        "no tool": _tools(_R, tool_choice="none"),
        "allowed tools": _tools(_R, OTHER[_R], tool_choice={
            "type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}],
        }),
        "choice of a server tool": _tools(_R, {"type": "web_search"}, tool_choice={"type": "web_search_preview"}),
        "json mode": {"text": {"format": {"type": "json_object"}}},
        "no reasoning": {"reasoning": {"effort": "none"}},
        "item reference": {"input": [{"type": "item_reference", "id": "msg_1"}]},
        "annotated answer": {"input": [
            {"role": "user", "content": "Hi"},
            {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [
                {"type": "output_text", "text": "Hello", "annotations": [
                    {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5},
                ]},
            ]},
            {"role": "user", "content": "Go on"},
        ]},
    },
    _G: {
        "image": _contents({"inlineData": {"mimeType": "image/png", "data": PNG}}),
        "sound": _contents({"inlineData": {"mimeType": "audio/wav", "data": WAV}}),
        "pdf": _contents({"inlineData": {"mimeType": "application/pdf", "data": PDF, "displayName": "a.pdf"}}),
        "file": _contents({"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}}),
        "film": _contents({
            "fileData": {"mimeType": "video/mp4", "fileUri": "https://a.example/a.mp4"}, "videoMetadata": {"fps": 1},
        }),
        "code": {"contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [
                {"executableCode": {"language": "PYTHON", "code": "1+1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
                {"text": "Two"},
            ]},
            {"role": "user", "parts": [{"text": "Go on"}]},
        ]},
        "signed call": {"tools": [TOOL[_G]], "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [
                {"text": "I look.", "thought": True},
                {"functionCall": {"name": "look", "args": {"city": "Bonn", "unit": "C"}}, "thoughtSignature": "c2ln"},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "look", "response": {"degrees": 20, "sky": ["blue"]}}},
            ]},
        ]},
        "failed call": {"tools": [TOOL[_G]], "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"city": "Ys", "unit": "C"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"error": "No such city"}}}]},
        ]},
        "OpenAPI schema": {"tools": [{"functionDeclarations": [{
            "name": "look", "description": "Looks", "behavior": "NON_BLOCKING",
            "response": {"type": "STRING"},
            "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}},
        }]}]},
        "search": {"tools": [{"googleSearch": {}}]},
        "code execution": {"tools": [{"codeExecution": {}}, {"urlContext": {}}]},
        "no tool": _tools(_G, toolConfig=_FUNCTION),
        "any tool": _tools(_G, OTHER[_G], toolConfig={"functionCallingConfig": {"mode": "ANY"}}),
        "validated tools": _tools(_G, toolConfig={"functionCallingConfig": {"mode": "VALIDATED"}}),
        "place": _tools(_G, toolConfig={"retrievalConfig": {"languageCode": "de"}}),
        "thinking level": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
        "no thinking": {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}},
        "choice of words": {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {
            "type": "STRING", "enum": ["a", "b"],
        }}},
        "schema of the output": {"generationConfig": {
            "responseMimeType": "application/json", "responseJsonSchema": SCHEMA,
        }},
    },
}  # fmt: skip

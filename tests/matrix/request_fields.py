"""Requests by hand that use every member of the official request types, one at a time.

``FIELDS`` has one sample for each top-level member of an SDK's type; ``REST`` holds what nests deeper: content parts,
tools and their choice. Each is laid over the smallest request of its format.
"""

from tests.matrix.request_facts import JSON

type Body = dict[str, JSON]

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA"
SCHEMA: Body = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "A city"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
BARE: dict[str, Body] = {
    "anthropic-messages": {"model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "Hi"}]},
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "openai-responses": {"model": "m", "input": [{"role": "user", "content": "Hi"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
TOOL: dict[str, Body] = {
    "anthropic-messages": {"name": "look", "description": "Looks", "input_schema": SCHEMA},
    "openai-chat": {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": SCHEMA}},
    "openai-responses": {
        "type": "function", "name": "look", "description": "Looks", "parameters": SCHEMA, "strict": True,
    },
    "gemini": {"functionDeclarations": [{"name": "look", "description": "Looks", "parametersJsonSchema": SCHEMA}]},
}  # fmt: skip
OTHER: dict[str, Body] = {
    "anthropic-messages": {"name": "hear", "input_schema": SCHEMA},
    "openai-chat": {"type": "function", "function": {"name": "hear", "parameters": SCHEMA}},
    "openai-responses": {"type": "function", "name": "hear", "parameters": SCHEMA, "strict": False},
    "gemini": {"functionDeclarations": [{"name": "hear", "parametersJsonSchema": SCHEMA}]},
}


def _with_tools(name: str, **more: JSON) -> Body:
    return {"tools": [TOOL[name], OTHER[name]], **more}


_A, _C, _R, _G = "anthropic-messages", "openai-chat", "openai-responses", "gemini"

FIELDS: dict[str, dict[str, Body]] = {
    _A: {
        "max_tokens": {"max_tokens": 77},
        "messages": {},
        "model": {},
        "cache_control": {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        "container": {"container": {"id": "container_1", "skills": [{"type": "anthropic", "skill_id": "pdf"}]}},
        "diagnostics": {"diagnostics": {"previous_message_id": "msg_1"}},
        "inference_geo": {"inference_geo": "us"},
        "metadata": {"metadata": {"user_id": "user-1"}},
        "output_config": {"output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}}},
        "service_tier": {"service_tier": "standard_only"},
        "speed": {"speed": "fast"},
        "stop_sequences": {"stop_sequences": ["END"]},
        "system": {"system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]},
        "thinking": {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        "tool_choice": _with_tools(_A, tool_choice={"type": "tool", "name": "look", "disable_parallel_tool_use": True}),
        "tools": _with_tools(_A),
        "user_profile_id": {"user_profile_id": "profile_1"},
        "workspace_id": {"workspace_id": "ws_1"},
    },
    _C: {
        "messages": {},
        "model": {},
        "audio": {"audio": {"voice": "alloy", "format": "wav"}},
        "frequency_penalty": {"frequency_penalty": 0.5},
        "function_call": {"functions": [{"name": "look", "parameters": SCHEMA}], "function_call": {"name": "look"}},
        "functions": {"functions": [{"name": "look", "description": "Looks", "parameters": SCHEMA}]},
        "logit_bias": {"logit_bias": {"50256": -100}},
        "logprobs": {"logprobs": True},
        "max_completion_tokens": {"max_completion_tokens": 77},
        "max_tokens": {"max_tokens": 77},
        "metadata": {"metadata": {"team": "a"}},
        "modalities": {"modalities": ["text", "audio"]},
        "moderation": {"moderation": {"model": "omni-moderation-latest"}},
        "n": {"n": 2},
        "parallel_tool_calls": _with_tools(_C, parallel_tool_calls=False),
        "prediction": {"prediction": {"type": "content", "content": "Hello"}},
        "presence_penalty": {"presence_penalty": 0.5},
        "prompt_cache_key": {"prompt_cache_key": "session-1"},
        "prompt_cache_options": {"prompt_cache_options": {"mode": "explicit"}},
        "prompt_cache_retention": {"prompt_cache_retention": "24h"},
        "reasoning_effort": {"reasoning_effort": "minimal"},
        "response_format": {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "city", "schema": SCHEMA, "strict": True},
            }
        },
        "safety_identifier": {"safety_identifier": "user-1"},
        "seed": {"seed": 7},
        "service_tier": {"service_tier": "flex"},
        "stop": {"stop": ["END", "STOP"]},
        "store": {"store": True},
        "stream_options": {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": True}},
        "temperature": {"temperature": 0.3},
        "tool_choice": _with_tools(_C, tool_choice={"type": "function", "function": {"name": "look"}}),
        "tools": _with_tools(_C),
        "top_logprobs": {"logprobs": True, "top_logprobs": 3},
        "top_p": {"top_p": 0.9},
        "user": {"user": "user-1"},
        "verbosity": {"verbosity": "low"},
        "web_search_options": {"web_search_options": {"search_context_size": "low"}},
    },
    _R: {
        "access_programs": {"access_programs": {"cyber": "standard"}},
        "background": {"background": True},
        "context_management": {"context_management": [{"type": "compaction", "compact_threshold": 1000}]},
        "conversation": {"conversation": "conv_1"},
        "image": {"image": {"context_compression": "disabled"}},
        "include": {"include": ["message.output_text.logprobs", "file_search_call.results"]},
        "input": {"input": "Hi"},
        "instructions": {"instructions": "Be brief."},
        "max_output_tokens": {"max_output_tokens": 77},
        "max_tool_calls": {"max_tool_calls": 3},
        "metadata": {"metadata": {"team": "a"}},
        "model": {},
        "moderation": {"moderation": {"model": "omni-moderation-latest"}},
        "parallel_tool_calls": _with_tools(_R, parallel_tool_calls=False),
        "previous_response_id": {"previous_response_id": "resp_1"},
        "prompt": {"prompt": {"id": "pmpt_1"}},
        "prompt_cache_key": {"prompt_cache_key": "session-1"},
        "prompt_cache_options": {"prompt_cache_options": {"mode": "explicit"}},
        "prompt_cache_retention": {"prompt_cache_retention": "24h"},
        "reasoning": {"reasoning": {"effort": "xhigh", "summary": "detailed"}},
        "safety_identifier": {"safety_identifier": "user-1"},
        "service_tier": {"service_tier": "priority"},
        "store": {"store": True},
        "stream_options": {"stream": True, "stream_options": {"include_obfuscation": True}},
        "temperature": {"temperature": 0.3},
        "text": {"text": {"verbosity": "low", "format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}},
        "tool_choice": _with_tools(_R, tool_choice={"type": "function", "name": "look"}),
        "tools": _with_tools(_R),
        "top_logprobs": {"top_logprobs": 3},
        "top_p": {"top_p": 0.9},
        "truncation": {"truncation": "auto"},
        "user": {"user": "user-1"},
    },
    _G: {
        "contents": {},
        "system_instruction": {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
        "generation_config": {"generationConfig": {"temperature": 0.3, "topK": 7, "candidateCount": 2}},
        "tools": _with_tools(_G),
        "tool_config": _with_tools(
            _G, toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}}
        ),
        "safety_settings": {
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
        },
        "cached_content": {"cachedContent": "cachedContents/1"},
        "labels": {"labels": {"team": "a"}},
        "service_tier": {"serviceTier": "flex"},
        "model_armor_config": {"modelArmorConfig": {"promptTemplateName": "projects/p/locations/l/templates/t"}},
    },
}
GENERATION: dict[str, JSON] = {
    "audio_timestamp": True,
    "candidate_count": 2,
    "enable_affective_dialog": True,
    "frequency_penalty": 0.5,
    "logprobs": 3,
    "max_output_tokens": 77,
    "media_resolution": "MEDIA_RESOLUTION_LOW",
    "presence_penalty": 0.5,
    "response_logprobs": True,
    "response_mime_type": "application/json",
    "response_modalities": ["TEXT", "IMAGE"],
    "response_schema": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]},
    "response_json_schema": SCHEMA,
    "seed": 7,
    "speech_config": {"languageCode": "de-DE"},
    "stop_sequences": ["END"],
    "temperature": 0.3,
    "thinking_config": {"thinkingBudget": 2048, "includeThoughts": True},
    "top_k": 7,
    "top_p": 0.9,
    "enable_enhanced_civic_answers": True,
    "routing_config": {"autoMode": {"modelRoutingPreference": "BALANCED"}},
    "model_selection_config": {"featureSelectionPreference": "PRIORITIZE_COST"},
}
"""Members of Gemini's ``generationConfig``."""


def body_of(name: str, sample: Body) -> Body:
    return {**BARE[name], **sample}

"""The vendors' error codes, words and statuses, and what each means. Data for ``errors.py``, no logic."""

import re

from translators.hub import FailureKind

BY_CODE: dict[str, FailureKind] = {
    # OpenAI and Azure
    "insufficient_quota": "quota",
    "usage_limit_reached": "quota",
    "usage_limit_exceeded": "quota",
    "quota_exceeded": "quota",
    "billing_hard_limit_reached": "billing",
    "billing_not_active": "billing",
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "too_many_requests": "rate_limit",
    "tokens_exceeded": "rate_limit",
    "context_length_exceeded": "context_overflow",
    "context_window_exceeded": "context_overflow",
    "model_context_window_exceeded": "context_overflow",
    "model_not_found": "not_found",
    "deploymentnotfound": "not_found",
    "model_decommissioned": "not_found",
    "unsupported_model": "not_found",
    "invalid_api_key": "authentication",
    "invalid_authentication": "authentication",
    "authentication_error": "authentication",
    "invalid_authentication_error": "authentication",
    "wrong_api_key": "authentication",
    "account_deactivated": "permission",
    "permission_error": "permission",
    "permission_denied_error": "permission",
    "unsupported_country_region_territory": "permission",
    "model_not_allowed": "permission",
    "content_filter": "invalid_request",
    "content_policy_violation": "invalid_request",
    "overloaded_error": "overloaded",
    "server_overloaded": "overloaded",
    "engine_overloaded_error": "overloaded",
    "service_unavailable": "overloaded",
    "service_unavailable_error": "overloaded",
    "capacity_exceeded": "overloaded",
    "timeout_error": "timeout",
    "request_too_large": "too_large",
    # Groq, Mistral, Moonshot, DeepSeek
    "tool_use_failed": "invalid_request",
    "json_validate_failed": "invalid_request",
    "exceeded_current_quota_error": "quota",
    "rate_limit_reached_error": "rate_limit",
    "insufficient_balance": "billing",
    "credit_balance_too_low": "billing",
    "payment_required": "billing",
    # DashScope
    "arrearage": "billing",
    "allocationquota.freetieronly": "quota",
    "throttling": "rate_limit",
    "throttling.ratequota": "rate_limit",
    "throttling.allocationquota": "rate_limit",
    "throttling.burstrate": "rate_limit",
    "invalidapikey": "authentication",
    "model.accessdenied": "permission",
    # GLM
    "1000": "authentication",
    "1001": "authentication",
    "1002": "authentication",
    "1003": "authentication",
    "1004": "authentication",
    "1112": "permission",
    "1113": "billing",
    "1211": "not_found",
    "1220": "permission",
    "1222": "not_found",
    "1261": "context_overflow",
    "1301": "invalid_request",
    "1302": "rate_limit",
    "1303": "rate_limit",
    "1304": "quota",
    "1305": "overloaded",
    "1308": "quota",
    "1309": "billing",
    "1310": "quota",
    "1312": "overloaded",
    "1316": "quota",
    "1317": "quota",
    "1318": "quota",
    "1319": "quota",
    "1320": "quota",
    "1321": "quota",
    # iFlow
    "435": "not_found",
    "439": "authentication",
    "449": "rate_limit",
    # Copilot
    "user_weekly_rate_limited": "quota",
}
BY_MINIMAX_CODE: dict[str, FailureKind] = {
    "1001": "timeout",
    "1002": "rate_limit",
    "1004": "authentication",
    "1008": "billing",
    "1013": "server",
    "1026": "invalid_request",
    "1027": "invalid_request",
    "1039": "rate_limit",
    "1041": "rate_limit",
    "2013": "invalid_request",
    "2049": "authentication",
    "2056": "quota",
}
BY_GOOGLE_STATUS: dict[str, FailureKind] = {
    "INVALID_ARGUMENT": "invalid_request",
    "FAILED_PRECONDITION": "invalid_request",
    "UNAUTHENTICATED": "authentication",
    "PERMISSION_DENIED": "permission",
    "NOT_FOUND": "not_found",
    "RESOURCE_EXHAUSTED": "rate_limit",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
    "INTERNAL": "server",
}
BY_STATUS: dict[int, FailureKind] = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    408: "timeout",
    410: "not_found",
    413: "too_large",
    422: "invalid_request",
    429: "rate_limit",
    498: "overloaded",
    499: "timeout",
    500: "server",
    502: "server",
    503: "overloaded",
    504: "timeout",
    522: "timeout",
    524: "timeout",
    529: "overloaded",
}
LIMIT_KINDS: dict[FailureKind, int] = {
    "invalid_request": 400,
    "context_overflow": 400,
    "too_large": 413,
    "authentication": 401,
    "permission": 403,
    "billing": 402,
    "not_found": 404,
    "rate_limit": 429,
    "quota": 429,
    "overloaded": 503,
    "timeout": 504,
    "server": 502,
    "cut": 502,
}
"""The status that an error should have had which came with a 200."""

OF_A_DAY = re.compile(r"(?:tokens|requests) per day|\b(?:TPD|RPD)\b|PerDay", re.IGNORECASE)
"""A limit that is called a rate limit and is a quota, unless it is back in a moment."""

_REFUSED = frozenset({400, 403, 413, 422, 429, 500})
BY_WORDING: tuple[tuple[FailureKind, re.Pattern[str], frozenset[int]], ...] = (
    (
        "context_overflow",
        re.compile(
            r"maximum context length|context[ _-]?(?:length|window|size)[^.]{0,60}(?:exceed|limit|overflow|too)"
            r"|exceed\w*[^.]{0,60}context[ _-]?(?:length|window|size|limit)|prompt is too long|prompt too long"
            r"|input (?:is )?too long|input length[^.]{0,60}exceed|input token count[^.]{0,60}exceeds"
            r"|too many (?:input )?tokens(?! per)|exceeds the (?:model'?s )?maximum (?:number of )?(?:input )?tokens"
            r"|reduce the length of (?:the|your) (?:messages|prompt|input)|range of input length should be"
            r"|total (?:number of )?tokens[^.]{0,60}exceed|token limit reached|request too large for model"
            r"|maximum prompt length|exceeds the available context size|larger than the maximum context",
            re.IGNORECASE,
        ),
        _REFUSED,
    ),
    (
        "billing",
        re.compile(
            r"insufficient (?:account )?(?:balance|credits?|funds)|credit balance is too low|out of credits"
            r"|requires more credits|payment required|add (?:more )?credits|account is in good standing|overdue payment",
            re.IGNORECASE,
        ),
        frozenset({400, 401, 402, 403, 429}),
    ),
    (
        "rate_limit",
        re.compile(r"(?:tokens|requests) per (?:second|minute)|\b(?:TPM|RPM)\b|PerMinute", re.IGNORECASE),
        frozenset({429, 413}),
    ),
    (
        "quota",
        re.compile(
            r"exceeded your current quota|quota (?:has been )?(?:exceeded|exhausted|reached)|usage limit"
            r"|(?:daily|weekly|monthly|5[- ]hour) (?:\w+ ){0,3}(?:limit|quota)|(?:tokens|requests) per day"
            r"|\b(?:TPD|RPD)\b|PerDay|free-models-per-day|insufficient[ _]quota|out of quota|exhausted your",
            re.IGNORECASE,
        ),
        frozenset({403, 429}),
    ),
    (
        "not_found",
        re.compile(
            r"model[^.]{0,80}(?:does not exist|not found|not exist|is not available|not supported)|unknown model"
            r"|is not a valid model|no endpoints found|no such model|not accessible via the /chat/completions",
            re.IGNORECASE,
        ),
        frozenset({400, 404}),
    ),
    (
        "authentication",
        re.compile(
            r"(?:incorrect|invalid|missing|expired) (?:api[ -]?key|token|credentials)|api key not valid", re.IGNORECASE
        ),
        frozenset({400, 401, 403}),
    ),
    (
        "overloaded",
        re.compile(r"overloaded|at capacity|over capacity|try again later", re.IGNORECASE),
        frozenset({429, 500, 502, 503}),
    ),
)
"""Kind, wording, and the statuses that may come with it; a text counts for nothing under another status."""

"""Questions from pages as calls of the gateway."""

from typing import cast

import orjson
import pytest

from omniroute_addon.addons.gate import is_gateway
from omniroute_addon.gateway.endpoints import endpoint
from omniroute_addon.web.asking import FORMS, Form, chat
from translators import FORMATS, WireRequest, hub


@pytest.mark.parametrize("form", FORMS)
def test_a_question_is_a_call_of_the_gateway_in_its_format(form: str) -> None:
    flow = chat(cast("Form", form), "glm/glm-4.7", "What is this?", "Be brief.")
    served = endpoint(flow.request.method, flow.request.path)
    assert (is_gateway(flow), served and served.format) == (True, form)
    asked = FORMATS[form].parse_request(WireRequest("POST", flow.request.path, body=flow.request.content or b""))
    assert (asked.model, asked.messages[-1].parts) == ("glm/glm-4.7", (hub.Text("What is this?"),))
    assert "Be brief." in orjson.dumps(orjson.loads(flow.request.content or b"")).decode()

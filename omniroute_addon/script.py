"""For ``mitmweb -s omniroute_addon/script.py --set omniroute_config=rules.yaml``: the same addons in stock mitmproxy."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from omniroute_addon.addons.lifecycle import OmniRoute
from omniroute_addon.web.mount import Pages

omniroute = OmniRoute()
addons = [omniroute, Pages(omniroute)]

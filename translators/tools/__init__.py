"""Tools between formats with different rules: names, ids, custom tools, namespaces, and calls that lack a result."""

from translators.tools.adapter import ToolAdapter

__all__ = ["ToolAdapter"]

"""What a model must be told in words because its provider has no field for it."""

from translators import jsonvalue
from translators.hub import OutputFormat


def output_in_words(output: OutputFormat) -> str:
    """The wish for structured output; says "JSON", without which JSON mode is refused by those who have it."""
    said = "Answer with one JSON object and nothing else."
    if output.schema is not None:
        schema = jsonvalue.write(dict(output.schema)).decode()
        said = f"Answer with JSON that follows this schema, and nothing else:\n{schema}"
    return f"{said}\n{output.description}" if output.description else said

"""A chat template that writes the day's date, given one of ours: else every day would be another experiment."""

from datetime import date

WRITES_DATE = "strftime_now"  # what transformers names the function that a template asks for the day
_CODES = ("%-d", "%-m", "%e", *(f"%{letter}" for letter in "aAbBcdDFHIjmMpSuUVwWxXyYZ"))


def dated(template: str, day: date) -> str:
    """The template with a macro before it that takes the place of transformers' function.

    A function of ours in its place would be simpler, but transformers hands templates nothing that can be called.
    """
    if WRITES_DATE not in template:
        return template
    codes = [(code, day.strftime(code)) for code in _CODES]
    return (
        f"{{%- macro {WRITES_DATE}(format) %}}"
        "{%- set written = namespace(text=format) %}"
        f"{{%- for code, value in {codes!r} %}}"
        "{%- set written.text = written.text.replace(code, value) %}"
        "{%- endfor %}"
        "{{- written.text }}"
        "{%- endmacro %}{{- '' }}" + template  # a block alone would swallow a line break that the template begins with
    )

"""The picture of the rules: well-formed, with every box and line, and nothing in it but text."""

from xml.etree import ElementTree as ET

from omniroute_addon.web.picture import LONGEST, Box, Link, picture

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_every_box_and_every_line_between_known_boxes_is_drawn() -> None:
    boxes = [Box("r", 0, "route", "on", "good"), Box("c", 1, "combo", "priority", "good"), Box("d", 1, "x", "", "off")]
    found = parsed(picture("rules", ("a", "b"), boxes, [Link("r", "c"), Link("c", "d", off=True), Link("r", "gone")]))
    assert len(found.findall(f"{SVG}g")) == 3
    assert [one.get("class") for one in found.findall(f"{SVG}path")] == ["link-on", "link-off"]


def test_markup_in_a_name_is_text_and_long_names_are_cut() -> None:
    name = "<script>alert(1)</script>" + "x" * LONGEST
    text = picture("<b>", ("<i>",), [Box("r", 0, name, "&", "good")], [])
    assert "<script" not in text
    box = parsed(text).find(f"{SVG}g")
    assert box is not None
    assert len(box.findtext(f"{SVG}text") or "") == LONGEST


def test_no_rules_are_a_picture_too() -> None:
    assert parsed(picture("rules", ("a",), [], [])).get("role") == "img"

"""The text of an SVG, read back by an XML parser."""

import pathlib
import xml.etree.ElementTree

_NAMESPACE = "{http://www.w3.org/2000/svg}"


def texts(path: pathlib.Path) -> list[str]:
    """Every line of text, in the order in which it is drawn."""
    return [_text(each) for each in _root(path).iter(f"{_NAMESPACE}text")]


def texts_by_id(path: pathlib.Path) -> dict[str, list[str]]:
    """The lines of text by the innermost group with an id."""
    found = {}
    for group in _root(path).iter(f"{_NAMESPACE}g"):
        inner = [each for each in group.iter(f"{_NAMESPACE}g") if "id" in each.attrib]
        lines = [_text(each) for each in group.iter(f"{_NAMESPACE}text")]
        if inner == [group] and lines:
            found[group.attrib["id"]] = lines
    return found


def _root(path: pathlib.Path) -> xml.etree.ElementTree.Element:
    return xml.etree.ElementTree.parse(path).getroot()


def _text(element: xml.etree.ElementTree.Element) -> str:
    return "".join(element.itertext()).strip()

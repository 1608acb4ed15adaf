"""What a browser would fetch or run to show a page that is to stand alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

XHTML = "{http://www.w3.org/1999/xhtml}"


def outside(source: str) -> list[str]:
    """Whatever a browser would fetch or run."""
    root = ET.fromstring(source.removeprefix("<!DOCTYPE html>"))
    found = []
    for element in root.iter():
        name = element.tag.removeprefix(XHTML)
        if name in ("script", "link", "img", "iframe", "object", "embed"):
            found.append(name)
        for key, value in element.attrib.items():
            if key in ("src", "href", "action", "data", "srcset", "style") and not value.startswith("#"):
                found.append(f"{key}={value}")
    style = root.find(f"{XHTML}head/{XHTML}style")
    assert style is not None
    return found + re.findall(r"@import|url\(|https?:|@font-face", style.text or "")

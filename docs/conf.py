"""Settings of Sphinx, which `make docs` runs to build the site from these pages and the docstrings."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

import tb_activations

project = "tb_activations"
author = "the authors of tb_activations"
version = release = tb_activations.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"tb_activations {release}"
html_show_sphinx = False
html_copy_source = False

# A name in backticks links to its entry where there is one.
default_role = "py:obj"
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# README and CONTRIBUTING lie at the top of the repository, where people look for them; `index.md` and others include
# them. Their links to each other become links between the pages of the site.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "LICENSE": "license.md"}


def _relinked(text: str) -> str:
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\]\((?:\.\./)?([A-Z]+(?:\.md)?)\)", lambda link: f"]({_PAGES.get(link[1], link[1])})", text)


def _page(app: Sphinx, name: str, content: list[str]) -> None:
    content[0] = _relinked(content[0])


def _included(app: Sphinx, relative_path: object, parent: str, content: list[str]) -> None:
    content[0] = _relinked(content[0])


def _blocks(app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Code between Markdown fences, which docstrings use as editors show them, becomes reStructuredText."""
    is_code = False
    converted = []
    for line in lines:
        if line.strip().startswith("```"):
            is_code = not is_code
            converted += ["", f".. code-block:: {line.strip()[3:] or 'python'}", ""] if is_code else [""]
        else:
            converted.append(f"   {line}" if is_code else line)
    lines[:] = converted


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _page)
    app.connect("include-read", _included)
    # Before Napoleon, which reads the sections of the docstrings.
    app.connect("autodoc-process-docstring", _blocks, priority=400)

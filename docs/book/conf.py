"""Sphinx's settings for the reading edition. `make book` prepares the sources and runs it."""

from utils.authoring.book import as_rst

project = "The RNN workbook"
html_title = project
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["README.md", "notebooks"]  # parts of the front page; files to download
smartquotes = False  # what is written is code, half of the time

# Text and notebooks
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}

copybutton_selector = ":is(div.cell_input, div.highlight-python, div.highlight-ipython3) pre"

# The functions: their docstrings are plain text
autodoc_typehints = "none"
autodoc_preserve_defaults = True
add_module_names = False
python_use_unqualified_type_names = True

# The pages
html_theme = "furo"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
html_scaled_image_link = False
html_theme_options = {"top_of_page_buttons": []}
highlight_language = "text"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# Formulas: MathJax lies beside the pages. Without its menu a formula is no stop for the Tab key.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}


def setup(app):
    """Docstrings as they are, tuples without a line for each field, tables with an empty corner."""

    def read_docstring(app, what, name, obj, options, lines):
        lines[:] = as_rst(lines)

    def skip_fields(app, what, name, obj, skip, options):
        return True if type(obj).__name__ == "_tuplegetter" else None

    def add_mathjax(app, config):
        config.html_static_path.append(str(app.srcdir / "_mathjax"))

    def mend_corners(app, pagename, templatename, context, doctree):
        """The empty corner of a table is no heading."""
        if "body" in context:
            context["body"] = context["body"].replace('<th class="head"><p></p></th>', "<td></td>")

    app.connect("html-page-context", mend_corners)
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("config-inited", add_mathjax)

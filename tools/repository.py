"""Sphinx extension: links to the repository, where one is known.

A build on GitHub knows its repository from the event. Any other build has no such
links, rather than links to a place that may not be this one.
"""

import os

BUTTONS = {
    "use_repository_button": True,
    "use_issues_button": True,
    "use_edit_page_button": True,
    "launch_buttons": {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    },
}


def add_links(app, config):
    repository = os.environ.get("GITHUB_REPOSITORY")
    if repository:
        server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
        config.html_theme_options |= BUTTONS | {
            "repository_url": f"{server}/{repository}",
            "repository_branch": os.environ.get("GITHUB_REF_NAME", "main"),
        }
    base_url = os.environ.get("BOOK_BASE_URL")
    if base_url:
        config.html_baseurl = config.ogp_site_url = base_url.rstrip("/") + "/"


def setup(app):
    # Before the theme and sphinxext-opengraph read their settings.
    app.connect("config-inited", add_links, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

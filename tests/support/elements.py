"""Read the elements and the text of an HTML page."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """Parse an HTML page: `found` lists (tag, attributes), `tags` the tags, `ids` (id, tag), and `text` is all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.tags = [tag for tag, _ in self.found]
        self.ids = [(attributes["id"], tag) for tag, attributes in self.found if "id" in attributes]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

"""Read the elements and the text of an HTML page."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """Parse a page: its elements, the ids among them, and its text.

    `page` is HTML. `found` lists (tag, attributes) of each element in the page's order, `tags` lists the tags alone,
    and `ids` lists (id, tag) of each element with an id. `text` joins the texts between the tags.
    """

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
